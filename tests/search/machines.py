"""Machines: the nodes of a real Ray cluster, all of them on this host, started as users start theirs."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.search.conftest import kill_all
from tests.search.drivers import wait_until

RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
PLACE = {
    "RAY_AUTH_MODE": "disabled",  # else Ray leaves a token in the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node that is gone is found out within five seconds, not fifteen, and one that is busy is left alone.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "10",
}


class Machine:
    """One node, which is killed with all that runs on it."""

    def __init__(self, log: Path, *arguments: str, cpus: int) -> None:
        self.mark = f"gnap-test-{secrets.token_hex(8)}"
        command = [sys.executable, "-c", RAY, "start", "--block", f"--num-cpus={cpus}"]
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [*command, "--object-store-memory=100000000", *arguments],
                env={**os.environ, **PLACE, "MARK": self.mark, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: "Ray runtime started" in log.read_text())

    def kill(self) -> None:
        kill_all(self.mark)
        self._process.wait()


class Machines:
    """A cluster whose machines come and go.

    Attributes:
        head: its newest one.
        address: where that answers.
    """

    head: Machine
    address: str

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the names of sockets must be short
        self._all: list[Machine] = []

    def start(self) -> None:
        """A new head, without a processor for trials."""
        port = _free_port()
        place = [f"--port={port}", f"--temp-dir={self._folder / str(port)}", "--include-dashboard=false"]
        self.address = f"127.0.0.1:{port}"
        self.head = self._started("--head", *place, cpus=0)

    def join(self, cpus: int) -> Machine:
        """One more node of the cluster."""
        return self._started(f"--address={self.address}", cpus=cpus)

    def end(self) -> None:
        for machine in self._all:
            machine.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self, *arguments: str, cpus: int) -> Machine:
        self._all.append(Machine(self._folder / f"{len(self._all)}.log", *arguments, cpus=cpus))
        return self._all[-1]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
