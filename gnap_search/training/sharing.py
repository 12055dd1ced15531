"""Sharing: whether processes that share a GPU compute on it side by side.

Without NVIDIA's Multi-Process Service they take turns, and in its turn a small network leaves most of a GPU
idle. The service is a daemon of a whole machine, and so it is its user's to start; docs/performance.md has
what it is worth.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
PIPES = "/tmp/nvidia-mps"  # noqa: S108 (CUDA's own default, which has to be this; it is only looked at)
ADVICE = (
    "Trainings that share a GPU take turns on it; started after NVIDIA's Multi-Process Service "
    f"({CONTROL} -d), they run side by side."
)


def advice() -> str | None:
    """What to do before several processes share a GPU; None where it is done, or cannot be."""
    return None if served() or shutil.which(CONTROL) is None else ADVICE


def served() -> bool:
    """Whether the service runs on this machine."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", PIPES)) / "control").exists()
