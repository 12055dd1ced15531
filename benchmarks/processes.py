"""Processes: what the workers of a study take of the memory, and what a folder takes of the disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NOT_TRAINING = (b"ray::IDLE", b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")


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
