"""`python -m benchmarks.trials VARIANT ...`: one study in a process of its own; what was seen of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from benchmarks import processes, stock
from benchmarks.work import Record, Work
from gnap_search import datasets
from gnap_search.contracts import Data
from gnap_search.report.quiet import Quiet
from gnap_search.spec import Launch, Study

WORKERS = 2
EVERY = 5  # trials between two looks at the memory


class Endings(Quiet):
    """Notes when trials end, how long they worked, and now and then the memory of their processes."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.worked = 0.0
        self._memory: list[tuple[float, float]] = []

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        del trial, again
        if failure is None:
            self.moments.append(time.perf_counter())
        if len(self.moments) % EVERY == 2:
            self._memory += processes.workers().values()

    def stock_trial_ended(self, worked: float) -> None:
        """The same of a variant that is not ours."""
        self.worked += worked
        self.trial_ended(len(self.moments), None)

    def record(self, workers: int, folder: Path) -> Record:
        """All that was seen; the folder is what the study has left."""
        shared, private = zip(*(self._memory or [(0.0, 0.0)]), strict=True)
        files, kilobytes = processes.taken(folder)
        trials = len(self.moments)
        return Record(
            workers,
            self.moments,
            self.worked,
            statistics.median(shared),
            statistics.median(private),
            files / trials,
            kilobytes / trials,
        )


def ours(work: Work, data: Data | None, folder: Path, endings: Endings) -> None:
    """A study by `gnap_search`; without data, its training is pretended."""
    from benchmarks import pretended
    from gnap_search.results import Point
    from gnap_search.runs import Run
    from gnap_search.search import launch, trainable

    whole = data or datasets.load("digits")

    def load(study: Study, launch: Launch) -> Data:
        return whole

    training = trainable.Trainable if data else pretended.TRAINABLES[work.pause]
    with mock.patch.object(trainable, "Trainable", training):
        launch.run(work.study, folder / "study", Launch(), endings, load)
    points: list[Point] = list(Run(folder / "study").points())
    endings.worked = sum(point.seconds for point in points)


def _stock(*, as_class: bool) -> Callable[[Work, Data | None, Path, Endings], None]:
    def variant(work: Work, data: Data | None, folder: Path, endings: Endings) -> None:
        stock.ray_tune(work, data, folder, endings.stock_trial_ended, as_class=as_class)

    return variant


def optuna_alone(work: Work, data: Data | None, folder: Path, endings: Endings) -> None:
    """A study by Optuna in one process."""
    stock.optuna_alone(work, data, folder, endings.stock_trial_ended)


VARIANTS = {
    "ours": ours,
    "function": _stock(as_class=False),
    "class": _stock(as_class=True),
    "optuna": optuna_alone,
}


def seen(variant: str, work: Work) -> Record:
    """Run one study on two processors, if there are two, and say what was seen of it."""
    available = sorted(os.sched_getaffinity(0))[:WORKERS]
    os.sched_setaffinity(0, available)
    endings = Endings()
    data = datasets.load("digits") if work.epochs else None
    with tempfile.TemporaryDirectory(prefix="study-", dir=processes.SHORT) as folder:
        VARIANTS[variant](work, data, Path(folder), endings)
        return endings.record(1 if variant == "optuna" else len(available), Path(folder))


def main() -> None:
    """Print what was seen as JSON, on the last line: others may print before it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a trial sleeps")
    parser.add_argument("--epochs", type=int, default=0, help="of digits, in place of sleep")
    asked = parser.parse_args()
    record = seen(asked.variant, Work(asked.trials, asked.pause, asked.epochs))
    print(json.dumps(dataclasses.asdict(record)))


if __name__ == "__main__":
    main()
