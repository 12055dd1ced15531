"""Drivers of a study in processes of their own, which tests kill, and what is seen of it from outside."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gnap_search.results import Point
from gnap_search.runs import Run
from tests.search.conftest import kill_all, small_study

DRIVER = Path(__file__).with_name("driver.py")


class Drivers:
    """Starts drivers of one study, one after the other, each in a session of its own."""

    def __init__(self, folder: Path, storage: str | None = None, **study: object) -> None:
        self.run, self.storage, self.address = Run(folder), storage, ""
        self.mark = f"gnap-test-{secrets.token_hex(8)}"
        self._started: list[subprocess.Popen[str]] = []
        self._file = folder.with_name("asked.toml")
        self._file.write_text(small_study(**study).to_toml())

    def start(self) -> subprocess.Popen[str]:
        places = {"storage": self.storage, "address": self.address}
        given = [f"{name}={value}" for name, value in places.items() if value]
        driver = subprocess.Popen(
            [sys.executable, DRIVER, str(self.run.folder), str(self._file), *given],
            env={**os.environ, "MARK": self.mark, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(driver)
        return driver

    def wait_for_epochs(self, driver: subprocess.Popen[str], more: int = 1) -> None:
        """Until this driver has started, and there are so many epochs more, which it may not have heard of.

        What trained for a killed one goes on until then, so its epochs tell nothing of this one.
        """
        started = Path(f"{self._file}.{driver.pid}")
        self._wait_beside(driver, started.exists)
        wanted = len(points_known(self.run)) + more
        self._wait_beside(driver, lambda: len(points_known(self.run)) >= wanted)

    def finish(self) -> str:
        """Drive the study to its end; what was printed."""
        driver = self.start()
        output, _ = driver.communicate(timeout=200)
        assert driver.returncode == 0, output
        return output

    def kill(self, driver: subprocess.Popen[str]) -> None:
        kill_all(self.mark)
        driver.communicate()

    def _wait_beside(self, driver: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
        """Wait while the driver lives."""
        while not reached():
            assert driver.poll() is None, driver.communicate()[0]
            time.sleep(0.02)

    def end(self) -> None:
        """Leave nothing that was started."""
        kill_all(self.mark)
        for driver in self._started:
            if driver.returncode is None:
                driver.communicate()


def points_known(run: Run) -> dict[str, Point]:
    return {point.id: point for point in run.points()} if (run.folder / "study.toml").exists() else {}


def wait_until(reached: Callable[[], bool]) -> None:
    """As long as it takes; the test's own limit ends what never comes."""
    while not reached():
        time.sleep(0.02)
