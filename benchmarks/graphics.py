"""Graphics: images a second on one GPU, of the trainer beside a plain loop, and of several trials at once.

Where there is no GPU the same code runs on the processor, which only shows that it runs.
"""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

import torch

from benchmarks.rounds import ROUNDS, Figure, measured, seconds
from benchmarks.training import SIZES, Size, noise, ours, plain

BATCH = 512
TRIALS = (1, 2, 4, 8)


def figures(*, small: bool) -> list[Figure]:
    """The trainer over a plain eager loop up to 3 M MACs, then the throughput of 1 to 8 trials at once."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, span, rounds = (1024, 0.1, 1) if small else (50_000, 10.0, 2)
    told = []
    for size in SIZES[:1] if small else SIZES[:2]:
        told += _beside_plain(size, images, device)
    work = functools.partial(_together, SIZES[0], images, span, device)
    return [*told, *_side_by_side(work, TRIALS[1:2] if small else TRIALS, rounds, device)]


def _beside_plain(size: Size, images: int, device: str) -> list[Figure]:
    data = noise(size.shape, images)
    loops = {"ours": ours(size, data, BATCH, device), "plain": plain(size, data, BATCH, device)}
    for loop in loops.values():
        loop()
    speeds = {
        name: functools.partial(lambda loop: images / seconds(loop), loop) for name, loop in loops.items()
    }
    seen = measured({f"{size.name}: {name}": speed for name, speed in speeds.items()}, "images/s", ROUNDS)
    mine, theirs = seen.values()
    return [mine, theirs, mine.over(theirs, f"{size.name}: ours / plain loop").asked(at_least=_on_gpu(3))]


def _on_gpu(bound: float) -> float | None:
    """What is asked of a GPU is asked of nothing else."""
    return bound if torch.cuda.is_available() else None


def _side_by_side(
    together: Callable[[int], float], trials: tuple[int, ...], rounds: int, device: str
) -> list[Figure]:
    """Images a second of all trials together, each in a process of its own as under Ray."""
    speeds = {f"{count} trials on one {device}": functools.partial(together, count) for count in trials}
    alone, *several = measured(speeds, "images/s", rounds).values()
    ratios = [one.over(alone, f"{one.name} / 1 trial") for one in several]
    return [
        alone,
        *several,
        *(ratio.asked(at_least=_on_gpu(2)) if "4 trials" in ratio.name else ratio for ratio in ratios),
    ]


def _together(size: Size, images: int, span: float, device: str, count: int) -> float:
    context = multiprocessing.get_context("spawn")
    ready, speeds = context.Barrier(count), context.Queue()
    work = (size, images, span, device, ready, speeds)
    processes = [context.Process(target=_train, args=work) for _ in range(count)]
    for process in processes:
        process.start()
    total: float = sum(speeds.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def _train(
    size: Size,
    images: int,
    span: float,
    device: str,
    ready: Barrier,
    speeds: multiprocessing.Queue[float],
) -> None:
    """Epochs for so many seconds, from the moment when all are ready."""
    torch.set_num_threads(1)
    epoch = ours(size, noise(size.shape, images), BATCH, device)
    epoch()
    ready.wait()
    start, epochs = time.perf_counter(), 0
    while time.perf_counter() - start < span:
        epoch()
        epochs += 1
    speeds.put(epochs * images / (time.perf_counter() - start))
