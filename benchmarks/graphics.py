"""Graphics: images a second on one GPU, of the trainer beside a plain loop, and of several trials at once.

Several trials compute side by side where NVIDIA's Multi-Process Service runs, and in turns where it does not.
Where there is no GPU the same code runs on the processor, which only shows that it runs.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import torch

from benchmarks.rounds import ROUNDS, Figure, measured, seconds
from benchmarks.training import SIZES, Size, noise, ours, plain
from gnap_search.training import sharing

BATCH = 512
TRIALS = (1, 2, 4, 8)


def figures(*, small: bool) -> list[Figure]:
    """The trainer over a plain eager loop up to 3 M MACs, then the throughput of 1 to 8 trials at once."""
    device = device_here()
    images, span, rounds = (1024, 0.1, 1) if small else (50_000, 2.0, ROUNDS)
    told = []
    for size in SIZES[:1] if small else SIZES[:2]:
        told += _beside_plain(size, images, rounds, device)
    trials = TRIALS[:2] if small else TRIALS
    with _trials(trials[-1], SIZES[0], images, device) as pipes:
        together = functools.partial(_together, pipes, span)
        return [*told, *_side_by_side(together, trials, rounds, device)]


def device_here() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _beside_plain(size: Size, images: int, rounds: int, device: str) -> list[Figure]:
    data = noise(size.shape, images)
    loops = {"ours": ours(size, data, BATCH, device), "plain": plain(size, data, BATCH, device)}
    for loop in loops.values():
        loop()
    speeds = {
        name: functools.partial(lambda loop: images / seconds(loop), loop) for name, loop in loops.items()
    }
    seen = measured({f"{size.name}: {name}": speed for name, speed in speeds.items()}, "images/s", rounds)
    mine, theirs = seen.values()
    return [mine, theirs, mine.over(theirs, f"{size.name}: ours / plain loop").asked(at_least=_on_gpu(3))]


def _on_gpu(bound: float) -> float | None:
    """What is asked of a GPU is asked of nothing else."""
    return bound if device_here() == "cuda" else None


def _side_by_side(
    together: Callable[[int], float], trials: tuple[int, ...], rounds: int, device: str
) -> list[Figure]:
    """Images a second of all trials together, each in a process of its own as under Ray."""
    how = "side by side" if sharing.served() else "in turns"
    speeds = {
        f"{count} trials on one {device}, {how}": functools.partial(together, count) for count in trials
    }
    alone, *several = measured(speeds, "images/s", rounds).values()
    ratios = [one.over(alone, f"{one.name} / 1 trial") for one in several]
    return [
        alone,
        *several,
        *(ratio.asked(at_least=_on_gpu(2)) if "4 trials" in ratio.name else ratio for ratio in ratios),
    ]


@contextlib.contextmanager
def _trials(count: int, size: Size, images: int, device: str) -> Iterator[list[Connection]]:
    """So many processes that are ready to train; those that are not asked to wait and take nothing."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    work = (size, images, device)
    processes = [context.Process(target=_train, args=(theirs, *work), daemon=True) for _, theirs in pipes]
    for process, (_, theirs) in zip(processes, pipes, strict=True):
        process.start()
        theirs.close()  # so that the end of a process is the end of its pipe
    mine = [pipe for pipe, _ in pipes]
    try:
        for pipe in mine:
            pipe.recv()
        yield mine
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _together(pipes: list[Connection], span: float, count: int) -> float:
    """Images a second of the first so many trials, which train side by side for so many seconds."""
    for pipe in pipes[:count]:
        pipe.send(span)
    speeds: list[float] = [pipe.recv() for pipe in pipes[:count]]
    return sum(speeds)


def _train(pipe: Connection, size: Size, images: int, device: str) -> None:
    """Epochs for as many seconds as it is told, again and again."""
    torch.set_num_threads(1)
    epoch = ours(size, noise(size.shape, images), BATCH, device)
    epoch()
    pipe.send(None)
    while True:
        span = pipe.recv()
        start, epochs = time.perf_counter(), 0
        while time.perf_counter() - start < span:
            epoch()
            epochs += 1
        pipe.send(epochs * images / (time.perf_counter() - start))
