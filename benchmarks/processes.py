"""Processes: modules in processes of their own; what workers take of the memory, and folders of the disk."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHORT = "/tmp"  # for the folders of studies: its path leaves room for the names of Ray's sockets
NOT_TRAINING = (b"ray::IDLE", b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")


def output(module: str, *words: object) -> str:
    """What a module prints as a program.

    Raises:
        RuntimeError: it did not come to its end.
    """
    command = [sys.executable, "-m", module, *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def told(module: str, *words: object) -> Any:
    """The JSON on the last line that it prints."""
    return json.loads(output(module, *words).splitlines()[-1])


def workers() -> dict[int, tuple[float, float]]:
    """Training process -> its memory in MiB: its share of what it shares (PSS), and what it has alone (USS).

    Ray names its workers after what they do; those below this process count.
    """
    found = {}
    for process in _below(os.getpid()):
        with contextlib.suppress(OSError):  # it has just ended
            title = Path(f"/proc/{process}/cmdline").read_bytes()
            if title.startswith(b"ray::") and not title.startswith(NOT_TRAINING):
                found[process] = _memory(process)
    return found


def taken(folder: Path) -> tuple[int, float]:
    """How many files a folder has, and their size in kB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1000


def _below(process: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _below(child)


def _memory(process: int) -> tuple[float, float]:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {key: int(value.split()[0]) / 1024 for key, _, value in (line.partition(":") for line in lines)}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]
