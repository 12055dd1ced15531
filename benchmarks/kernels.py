"""Kernels: what a step of the trainer is made of, as torch's profiler sees it.

On a GPU these are the kernels of a recorded step and of what prepares its batch; on a processor they are
torch's operations, by the time that each takes without those that it calls. Kernels that differ in their
template arguments alone are told as one. Watching costs time, so a step's own time is measured unwatched.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import graphics
from benchmarks.rounds import ROUNDS, Figure, seconds
from benchmarks.training import SIZES, Size, noise, ours

TOLD = 15  # kernels of each size, those that take longest
LONGEST = 48  # characters of a kernel's name


@dataclasses.dataclass
class Share:
    """What one kernel has of a step: how often it runs, and for how many microseconds in all."""

    times: float = 0.0
    microseconds: float = 0.0


def figures(*, small: bool) -> list[Figure]:
    """For every size up to 3 M MACs: a step's time, its kernels' time and number, and the longest of them."""
    torch.set_num_threads(1)
    images, rounds = (graphics.BATCH, 1) if small else (16 * graphics.BATCH, ROUNDS)
    return [one for size in SIZES[: 1 if small else 2] for one in _of(size, images, rounds)]


def _of(size: Size, images: int, rounds: int) -> Iterator[Figure]:
    device = graphics.device_here()
    epoch = ours(size, noise(size.shape, images), graphics.BATCH, device)
    epoch()
    steps = math.ceil(images / graphics.BATCH)
    unwatched = [1e6 * seconds(epoch) / steps for _ in range(rounds)]
    seen = [_seen(epoch, steps, device) for _ in range(rounds)]
    together = [sum(one.microseconds for one in shares.values()) for shares in seen]
    number = [sum(one.times for one in shares.values()) for shares in seen]
    yield Figure(f"{size.name}: a step", "µs", unwatched)
    yield Figure(f"{size.name}: kernels of a step, together", "µs", together)
    yield Figure(f"{size.name}: kernels of a step", "", number)
    kernels = [_kernel(size, name, seen) for name in {name for shares in seen for name in shares}]
    yield from sorted(kernels, key=lambda figure: -figure.median)[:TOLD]


def _kernel(size: Size, name: str, seen: Sequence[Mapping[str, Share]]) -> Figure:
    shares = [one.get(name, Share()) for one in seen]
    times = statistics.median(one.times for one in shares)
    return Figure(f"{size.name}: `{name}`, {times:.3g} times", "µs", [one.microseconds for one in shares])


def _seen(epoch: Callable[[], object], steps: int, device: str) -> Mapping[str, Share]:
    """Each kernel's share of a step, in one watched epoch."""
    kind = ProfilerActivity.CUDA if device == "cuda" else ProfilerActivity.CPU
    with profile(activities=[kind]) as watched:
        epoch()
    found: dict[str, Share] = collections.defaultdict(Share)
    for one in watched.key_averages():
        if one.device_type.name != kind.name:  # what launches kernels is no kernel
            continue
        share = found[_short(one.key)]
        share.times += one.count / steps
        share.microseconds += (
            one.self_device_time_total if device == "cuda" else one.self_cpu_time_total
        ) / steps
    return found


def _short(name: str) -> str:
    """`void at::native::kernel<4, float>(int)` -> `kernel`."""
    plain = re.sub(r"\(anonymous namespace\)::", "", name).removeprefix("void ")
    return re.split(r"[<(]", plain)[0].rpartition("at::native::")[2][:LONGEST]
