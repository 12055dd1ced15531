"""Searches: ours, and those that a user would run instead, all of them on the same recorded trainings."""

from __future__ import annotations

import bisect
import math
import secrets
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import optuna

from benchmarks import replay
from gnap_search import spec
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.standing import Standing
from gnap_search.search.storage import directed
from gnap_search.space import draw


class Ours:
    """The ledger and the standing of a real study, in memory and in a scratch folder."""

    def __init__(self, study: spec.Study, place: Path) -> None:
        memory = optuna.storages.InMemoryStorage()
        trials = optuna.create_study(directions=directed(("parameters",)), storage=memory)
        self._ledger = Ledger(trials, memory, study)
        run = Run(replay.folder(study, place / secrets.token_hex(8)))
        self._standing = Standing(run, Quiet())
        self._ledger.attend(self._standing)

    def ask(self) -> Ask | None:
        return self._ledger.ask()

    def goes_on(self, point: Point) -> bool:
        return self._standing.report(point.trial, [point], None)

    def ended(self, point: Point) -> None:
        self._ledger.complete(point.trial, point)

    def front(self) -> Sequence[Point]:
        return self._standing.front.points


class Stock:
    """Optuna alone, or under Ray Tune: what counts is the last state of each training.

    With `rungs`, epochs, trainings are stopped as Ray's asynchronous successive halving does it, on the
    error: whoever is not among the best third of those that have come to a rung.
    """

    def __init__(
        self, study: spec.Study, sampler: optuna.samplers.BaseSampler, rungs: Sequence[int] = ()
    ) -> None:
        self._parameters, self._rungs = study.parameters, rungs
        self._study = optuna.create_study(directions=directed(("parameters",)), sampler=sampler)
        self._front = Front()
        self._seen: dict[int, list[float]] = defaultdict(list)

    def ask(self) -> Ask | None:
        trial = self._study.ask()
        return Ask(trial.number, draw(self._parameters, trial))

    def goes_on(self, point: Point) -> bool:
        if point.epoch not in self._rungs:
            return True
        seen, error = self._seen[point.epoch], 1 - point.validation_accuracy
        bisect.insort(seen, error)
        return bisect.bisect_left(seen, error) < max(1, math.ceil(len(seen) / 3))

    def ended(self, point: Point) -> None:
        self._front.add(point)
        self._study.tell(point.trial, [point.validation_accuracy, math.log10(max(point.parameters, 1))])

    def front(self) -> Sequence[Point]:
        return self._front.points
