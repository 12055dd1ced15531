"""Scale: a study past these machines, by simulation: what its one driver does for many trials on many GPUs.

The driver's share of a core says whether it keeps up. It is told for 1,000 GPUs and trainings of 10 minutes,
and in shorter studies for other lengths. What may grow with the study has a value for each tenth of its
trials. Ray's messages come on top, and are measured with real actors. `benchmarks.simulation` fails where a
trial is lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from benchmarks import processes
from benchmarks.rounds import Figure
from benchmarks.simulation import Moment, Record

GPUS, TRIALS, MINUTES = 1000, 10_000, 10.0
OTHERS = {30.0: 2000, 3.0: 2000, 1.0: 2000}  # minutes of a training -> trials of a shorter study
REPORTING = ("--actors", "4", "--reports", "200", "--waits", "10", "100", "1000")


def figures(*, small: bool) -> list[Figure]:
    """Shares of a core, milliseconds an event, memory and storage."""
    if small:
        return _whole(8, _record(12, 8, 1.0))
    told = _whole(GPUS, _record(TRIALS, GPUS, MINUTES))
    told[0] = told[0].asked(at_most=50)
    for minutes, trials in OTHERS.items():
        name = f"{trials:,} trainings of {minutes:g} min: "
        told += [
            dataclasses.replace(one, name=name + one.name)
            for one in _shares(GPUS, _record(trials, GPUS, minutes))
        ]
    return [*told, *_ray()]


def _whole(gpus: int, record: Record) -> list[Figure]:
    """All that is told of a study; of what may grow with it, a value for each part of it."""
    parts = _parts(record)
    calls: dict[str, Callable[[Part], float]] = {
        "an ask": lambda part: part.ask / part.trials,
        "a report, ours": lambda part: part.report / part.reports,
        "a report, Ray's controller": lambda part: part.controller / part.reports,
        "an answer": lambda part: part.answer / part.trials,
        "a trial, all that the driver does": lambda part: part.driver / part.trials,
        "a trial, waiting for the disk and a processor": lambda part: part.waited / part.trials,
    }
    last, grown = record.moments[-1], record.moments[-1].memory - record.moments[0].memory
    return [
        *_shares(gpus, record),
        *(Figure(what, "ms", [1000 * cost(part) for part in parts]) for what, cost in calls.items()),
        Figure("memory, at the most", "MiB", [record.peak]),
        Figure(
            "memory, what a trial adds",
            "KiB",
            [1024 * grown / max(1, last.trials - record.moments[0].trials)],
        ),
        Figure("database, a trial", "kB", [1000 * record.database / last.trials]),
    ]


def _shares(gpus: int, record: Record) -> list[Figure]:
    last = record.moments[-1]
    return [
        Figure("driver, share of a core", "%", [100 * last.driver / last.cluster]),
        Figure(
            "driver, share of a core, part by part",
            "%",
            [100 * part.driver / part.cluster for part in _parts(record)],
        ),
        Figure(
            "GPUs, share of their time in which they trained",
            "%",
            [100 * record.training / gpus / last.cluster],
        ),
        Figure("reports a second", "", [last.reports / last.cluster]),
    ]


@dataclasses.dataclass(frozen=True)
class Part(Moment):
    """What came between two moments."""

    @property
    def controller(self) -> float:
        """Seconds of the driver that were not ours."""
        return self.driver - self.ask - self.report - self.answer


def _parts(record: Record) -> list[Part]:
    moments = [dataclasses.asdict(moment) for moment in record.moments]
    before = [dict.fromkeys(moments[0], 0), *moments]
    parts = [
        Part(**{what: now - earlier[what] for what, now in later.items()})
        for earlier, later in zip(before, moments, strict=False)
    ]
    return [part for part in parts if part.trials]


def _record(trials: int, gpus: int, minutes: float) -> Record:
    told = processes.told("benchmarks.simulation", "--trials", trials, "--gpus", gpus, "--minutes", minutes)
    moments = [Moment(**moment) for moment in told.pop("moments")]
    return Record(moments=moments, **told)


def _ray() -> list[Figure]:
    told = processes.told("benchmarks.reports", *REPORTING)
    return [Figure(f"Ray, {what}", "ms", [cost]) for what, cost in told.items()]
