"""Machine: what a figure was measured on, without which it says little."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from gnap_search.environment import versions

LIBRARIES = ("torch", "torchvision", "ray", "optuna", "onnxruntime", "numpy")


def description() -> dict[str, str]:
    """Processor, cores, threads, load, Python and library versions."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {_memory():.0f} GiB",
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version}" for name, version in versions(*LIBRARIES).items()),
        **_graphics(),
    }


def _processor() -> str:
    """The model with those of its vector instructions that decide the speed."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    known = [
        flag
        for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
        if flag in told.get("flags", "").split()
    ]
    generation = f"family {told.get('cpu family', '?')} model {told.get('model', '?')}"
    return f"{told.get('model name', platform.machine())}, {generation} ({', '.join(known)})"


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _graphics() -> dict[str, str]:
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"graphics": f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"}
