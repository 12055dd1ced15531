"""Kernels: what a step of the trainer is made of, as torch's profiler sees it.

On a GPU these are the kernels of a recorded step and of what prepares its batch; on a processor they are
torch's operations, by the time that each takes without those that it calls. Kernels that differ in their
template arguments alone are told as one. Watching costs time, so a step's own time is measured unwatched.
"""

from __future__ import annotations

import collections
import functools
import math
import re
import statistics
from collections.abc import Callable, Iterator, Mapping

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import graphics
from benchmarks.rounds import ROUNDS, Figure, seconds
from benchmarks.training import SIZES, Size, noise, ours

TOLD = 15  # kernels of each size, those that take longest
LONGEST = 48  # characters of a kernel's name

Seen = Mapping[str, tuple[float, float]]
"""Kernel -> microseconds a step, and how often a step runs it."""


def figures(*, small: bool) -> list[Figure]:
    """For every size up to 3 M MACs: a step's time, its kernels' time and number, and the longest of them."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    images, rounds = (graphics.BATCH, 1) if small else (16 * graphics.BATCH, ROUNDS)
    return [one for size in SIZES[: 1 if small else 2] for one in _of(size, images, rounds, device)]


def _of(size: Size, images: int, rounds: int, device: str) -> Iterator[Figure]:
    epoch = ours(size, noise(size.shape, images), graphics.BATCH, device)
    epoch()
    steps = math.ceil(images / graphics.BATCH)
    named = functools.partial(_figure, size)
    yield named("a step", "µs", [1e6 * seconds(epoch) / steps for _ in range(rounds)])
    seen = [_seen(epoch, steps) for _ in range(rounds)]
    yield named("kernels of a step, together", "µs", [sum(time for time, _ in one.values()) for one in seen])
    yield named("kernels of a step", "", [sum(count for _, count in one.values()) for one in seen])
    names = {name for one in seen for name in one}
    times = {name: [one.get(name, (0.0, 0.0))[0] for one in seen] for name in names}
    for name in sorted(names, key=lambda name: -statistics.median(times[name]))[:TOLD]:
        count = statistics.median(one.get(name, (0.0, 0.0))[1] for one in seen)
        yield named(f"`{name}`, {count:.3g} times", "µs", times[name])


def _figure(size: Size, name: str, unit: str, values: list[float]) -> Figure:
    return Figure(f"{size.name}: {name}", unit, values)


def _seen(epoch: Callable[[], object], steps: int) -> Seen:
    """One watched epoch, a step of it."""
    on_gpu = torch.cuda.is_available()
    kind = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[kind]) as watched:
        epoch()
    found: dict[str, tuple[float, float]] = collections.defaultdict(lambda: (0.0, 0.0))
    for one in watched.key_averages():
        if one.device_type.name != kind.name:  # what launches kernels is no kernel
            continue
        microseconds = one.self_device_time_total if on_gpu else one.self_cpu_time_total
        name = _short(one.key)
        before, times = found[name]
        found[name] = before + microseconds / steps, times + one.count / steps
    return found


def _short(name: str) -> str:
    """`void at::native::kernel<4, float>(int)` -> `kernel`."""
    plain = re.sub(r"\(anonymous namespace\)::", "", name).removeprefix("void ")
    return re.split(r"[<(]", plain)[0].rpartition("at::native::")[2][:LONGEST]
