"""Environment: on what something ran: the interpreter, the libraries and the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

DISTRIBUTIONS = ("gnap-search", "torch", "torchvision", "ray", "optuna", "numpy")
PROCESSORS = Path("/proc/cpuinfo")  # where Linux names them; Python itself knows the architecture only


def record() -> dict[str, Any]:
    """What a result has to say of where it comes from."""
    return {
        "python": platform.python_version(),
        "versions": versions(*DISTRIBUTIONS),
        "machine": {
            "platform": platform.platform(),
            "processor": processor(),
            "processors": os.cpu_count(),
        },
    }


def versions(*distributions: str) -> dict[str, str]:
    """The versions of those distributions that are installed; a bare checkout of this project is not."""
    found = {}
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def processor() -> str:
    """What the processor calls itself, or else its architecture."""
    with contextlib.suppress(OSError):
        for line in PROCESSORS.read_text().splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return name.strip()
    return platform.processor() or platform.machine()
