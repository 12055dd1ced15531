"""Study: what a study costs beside its trainings, against Ray Tune with `OptunaSearch`, and Optuna alone.

Every study runs in a process of its own, on two workers. Unless a figure says so, start-up and end are left
out on all sides: time counts from the end of the first fifth of the trials to the end of the last one. Of
ours, an empty trial is the real driver's, with Optuna's storage, run folder and front, and a training of
nothing (see `benchmarks.pretended`); trials of digits are real on all sides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from benchmarks import processes
from benchmarks.rounds import ROUNDS, Figure, measured, seconds
from benchmarks.work import Record, Work

TITLES = {
    "ours": "ours",
    "function": "Ray Tune, function",
    "class": "Ray Tune, class",
    "optuna": "Optuna alone",
}
TUNE = ("function", "class")
EMPTY, SLEEPING, DIGITS, LONG = Work(50), Work(50, pause=1.0), Work(20, epochs=10), Work(6, pause=30.0)
FEW = 3  # rounds of what takes Ray Tune minutes and is asked nothing


def figures(*, small: bool) -> list[Figure]:
    """Seconds a trial, memory a worker, and what a trial leaves behind."""
    if small:
        return _empty(Work(3), 1)
    return [*_empty(EMPTY, ROUNDS), *_sleeping(FEW), *_digits(FEW), *_long(ROUNDS)]


def _empty(work: Work, rounds: int) -> list[Figure]:
    seen = _records(work, tuple(TITLES), rounds)
    told = {name: _figure("an empty trial", name, "s", _a_trial, seen) for name in TITLES}
    ratios = [told[name].over(told["ours"], f"an empty trial: {TITLES[name]} / ours") for name in TUNE]
    told["ours"] = told["ours"].asked(at_most=0.15)
    return [*told.values(), *(ratio.asked(at_least=10) for ratio in ratios)]


def _sleeping(rounds: int) -> list[Figure]:
    seen = _records(SLEEPING, ("ours", *TUNE), rounds)
    return [_figure("a worker's time beside a trial of 1 s", name, "s", _overhead, seen) for name in seen]


def _digits(rounds: int) -> list[Figure]:
    seen = _records(DIGITS, ("ours", *TUNE), rounds)
    kinds: dict[str, tuple[str, Callable[[Record], float]]] = {
        "a worker's time beside 10 epochs of digits": ("s", _overhead),
        "memory of a worker, its share of what is shared": ("MiB", lambda record: record.shared),
        "memory of a worker alone": ("MiB", lambda record: record.private),
        "files that a trial leaves": ("", lambda record: record.files),
        "bytes that a trial leaves": ("kB", lambda record: record.kilobytes),
    }
    return [
        _figure(title, name, unit, value, seen) for title, (unit, value) in kinds.items() for name in seen
    ]


def _long(rounds: int) -> list[Figure]:
    """Overhead of a whole study, its process's start and end included, and of the same study under way."""
    seen: list[Record] = []

    def whole() -> float:
        took = seconds(lambda: seen.append(_record("ours", LONG)))
        return 100 * (took * seen[-1].workers / seen[-1].worked - 1)

    title = f"overhead of a study of {LONG.trials} trials of 30 s"
    with_start = measured({f"{title}, start and end included": whole}, "%", rounds)
    under_way = Figure(f"{title}, under way", "%", [100 * record.overhead / LONG.pause for record in seen])
    return [under_way.asked(at_most=3), *with_start.values()]


def _a_trial(record: Record) -> float:
    return record.seconds_a_trial


def _overhead(record: Record) -> float:
    return record.overhead


def _figure(
    title: str, name: str, unit: str, value: Callable[[Record], float], seen: dict[str, list[Record]]
) -> Figure:
    return Figure(f"{title}: {TITLES[name]}", unit, [value(record) for record in seen[name]])


def _records(work: Work, variants: Sequence[str], rounds: int) -> dict[str, list[Record]]:
    """Variant -> what was seen of it in each round."""
    seen: dict[str, list[Record]] = {name: [] for name in variants}

    def run(name: str) -> float:
        seen[name].append(_record(name, work))
        return seen[name][-1].seconds_a_trial

    measured({name: functools.partial(run, name) for name in variants}, "s", rounds)
    return seen


def _record(variant: str, work: Work) -> Record:
    """One study in a process of its own."""
    sizes = {"--trials": work.trials, "--pause": work.pause, "--epochs": work.epochs}
    words = [word for pair in sizes.items() for word in pair]
    return Record(**processes.told("benchmarks.trials", variant, *words))
