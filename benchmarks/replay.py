"""Replay: searches on recorded trainings, as if they ran on so many workers, in seconds.

A search asks for settings and gets the nearest training that it has not had yet. Each epoch costs what the
network of that epoch computes (MACs an image), and the workers' clock runs in the same unit. What a search
has reached is the hypervolume of its front by validation accuracy, with the test accuracies of its points.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import recording
from benchmarks.recording import Recorded
from gnap_search import spec
from gnap_search.front import LARGEST, SMALLEST
from gnap_search.results import Point
from gnap_search.search.encoding import Encoding, share
from gnap_search.search.ledger import Ask


class Search(Protocol):
    """What is compared: it proposes trainings, may stop them, and has a front."""

    def ask(self) -> Ask | None:
        """The next training; None when there is none."""
        ...

    def goes_on(self, point: Point) -> bool:
        """Take in a training's newest point; whether it should go on, if that was not the last one."""
        ...

    def ended(self, point: Point) -> None:
        """A training has ended with this point."""
        ...

    def front(self) -> Sequence[Point]:
        """The points of the front so far, from the smallest to the largest."""
        ...


class Table:
    """The recorded trainings of one data set."""

    def __init__(self, name: str, trainings: int | None = None) -> None:
        """`trainings` takes the first so many alone."""
        _, recorded = recording.read(name)
        self.trainings = recorded[:trainings]
        self.study = spec.load(str(recording.FOLDER / f"{name}.toml"))
        self._searched = Encoding(self.study.parameters).searched
        self._places = np.array([self._place(one.settings) for one in self.trainings])

    @property
    def mean_cost(self) -> float:
        """Of a whole training, in MACs an image."""
        return float(np.mean([sum(one.macs) for one in self.trainings]))

    def nearest(self, asked: Ask, taken: set[int]) -> int | None:
        """The free training whose settings lie nearest; None when all are taken."""
        distances = ((self._places - self._place(asked.settings)) ** 2).sum(1)
        distances[sorted(taken)] = math.inf
        best = int(np.argmin(distances))
        return None if math.isinf(distances[best]) else best

    def _place(self, settings: Mapping[str, Any]) -> np.ndarray:
        """Where a configuration lies, from 0 to 1 in each setting; what it leaves out is in the middle."""
        values = [(one, settings.get(name)) for name, one in self._searched.items()]
        return np.array(
            [_chosen(one.choices, value) if one.choices else share(one, value) for one, value in values]
        )


def _chosen(choices: Sequence[Any], value: Any) -> float:
    return 0.5 if value is None else (choices.index(value) + 0.5) / len(choices)


@dataclasses.dataclass(frozen=True)
class Reached:
    """After so many MACs an image in all: the held-out hypervolume."""

    cost: float
    hypervolume: float


def replay(table: Table, search: Search, workers: int, budget: float) -> list[Reached]:
    """Run a search until the budget is spent or no training is left; a value whenever the front changes."""
    return list(_Clock(table, search, workers).reached(budget))


class _Clock:
    def __init__(self, table: Table, search: Search, workers: int) -> None:
        self._table, self._search = table, search
        self._running: list[tuple[float, int, int, int]] = []  # when, trial, training, epoch
        self._taken: set[int] = set()
        self._trainings: dict[int, Recorded] = {}
        for _ in range(workers):
            self._start(0.0)

    def reached(self, budget: float) -> Iterator[Reached]:
        spent, before = 0.0, None
        while self._running and spent < budget:
            now, trial, training, epoch = heapq.heappop(self._running)
            recorded = self._table.trainings[training]
            spent += recorded.macs[epoch]
            self._advance(now, trial, training, epoch)
            hypervolume = self._held_out()
            if hypervolume != before:
                before = hypervolume
                yield Reached(spent, hypervolume)

    def _advance(self, now: float, trial: int, training: int, epoch: int) -> None:
        recorded = self._table.trainings[training]
        newest = point(trial, recorded, epoch)
        goes_on = self._search.goes_on(newest)
        if goes_on and epoch + 1 < recorded.epochs:
            heapq.heappush(self._running, (now + recorded.macs[epoch + 1], trial, training, epoch + 1))
            return
        self._search.ended(newest)
        self._start(now)

    def _start(self, now: float) -> None:
        asked = self._search.ask()
        training = self._table.nearest(asked, self._taken) if asked else None
        if asked is None or training is None:
            return
        self._taken.add(training)
        recorded = self._trainings[asked.number] = self._table.trainings[training]
        heapq.heappush(self._running, (now + recorded.macs[0], asked.number, training, 0))

    def _held_out(self) -> float:
        chosen = self._search.front()
        return held_out(chosen, [self._trainings[one.trial].test[one.epoch - 1] for one in chosen])


def held_out(chosen: Sequence[Point], tests: Sequence[float]) -> float:
    """The hypervolume of a front's points, from the smallest on, with their test accuracies."""
    area, best = 0.0, 0.0
    for one, accuracy in zip(chosen, tests, strict=True):
        width = LARGEST - math.log10(max(one.parameters, 10.0**SMALLEST))
        if accuracy > best and width > 0:
            area, best = area + width * (accuracy - best), accuracy
    return area / (LARGEST - SMALLEST)


def point(trial: int, recorded: Recorded, epoch: int) -> Point:
    """What a trial would have reported at the end of an epoch, counted from 0."""
    finishing = epoch >= recorded.epochs * (1 - recorded.settings.get("finishing_share", 0.5))
    return Point(
        trial=trial,
        epoch=epoch + 1,
        parameters=recorded.parameters[epoch],
        weights=recorded.parameters[epoch],
        macs=recorded.macs[epoch],
        live_macs=recorded.macs[epoch],
        validation_accuracy=recorded.validation[epoch],
        validation_loss=0.0,
        training_loss=0.0,
        learning_rate=0.0,
        phase="finishing" if finishing else "growing",
        widths={},
        seconds=0.0,
        grown=bool(recorded.grown[epoch]),
    )


def at(reached: Sequence[Reached], costs: Sequence[float]) -> list[float]:
    """The hypervolume at given costs."""
    places = np.searchsorted([one.cost for one in reached], costs, side="right")
    return [reached[place - 1].hypervolume if place else 0.0 for place in places.tolist()]


def cost_to(reached: Sequence[Reached], hypervolume: float) -> float:
    """What it costs to get there; infinite where a search does not."""
    return next((one.cost for one in reached if one.hypervolume >= hypervolume), math.inf)


def folder(study: spec.Study, place: Path) -> Path:
    """A run's folder with that study."""
    place.mkdir(parents=True)
    (place / "study.toml").write_text(study.to_toml())
    return place
