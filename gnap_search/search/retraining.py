"""Retraining: a front's trials trained again with fresh seeds, and what came of them kept as confirmations.

A retraining does what its trial did, to the last epoch, with another seed. It keeps the networks of the
epochs at which the trial has points on the front, whatever they are worth this time. When it ends, these are
scored on the test images, once, and deleted; the figures go into the study's confirmations.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gnap_search import results
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.contracts import Listener
from gnap_search.front import Front
from gnap_search.results import History, Point
from gnap_search.runs import Run, forget_way_on
from gnap_search.search.ledger import Ask
from gnap_search.training.plan import Plan

Score = Callable[[Path], float]  # a network's file -> its test accuracy


@dataclasses.dataclass(frozen=True)
class Retraining:
    """One trial with one fresh seed, in a folder of its own, for the trial's points on the front."""

    plan: Plan
    folder: Path
    points: tuple[Point, ...]

    @property
    def epochs(self) -> list[int]:
        """Those of the points."""
        return [point.epoch for point in self.points]

    def network(self, epoch: int) -> Path:
        """The file with the network of an epoch."""
        return results.network(self.folder, epoch)

    def history(self) -> dict[int, Point]:
        """Epoch -> what it was, as far as it has come."""
        return {point.epoch: point for point in History(self.folder / "history.jsonl")}

    def confirms(self, kept: Mapping[str, Confirmed]) -> bool:
        """Whether each of its points already has a repeat with this seed."""
        return all(point.id in kept and self.plan.seed in kept[point.id].seeds for point in self.points)


def wanted(run: Run, points: Iterable[Point], seeds: int) -> list[Retraining]:
    """All trainings that confirm front points, done or not: each of their trials with each seed.

    Every trial comes with the first seed before any comes with the second: something is soon known of each
    point.
    """
    trials = dict.fromkeys(point.trial for point in points)
    front = run.front().points
    fresh = run.fresh_seeds(seeds)
    return [
        Retraining(
            dataclasses.replace(Plan.of(run.plan(trial)), seed=seed),
            run.repeat_folder(trial, seed),
            tuple(point for point in front if point.trial == trial),
        )
        for seed in fresh
        for trial in trials
    ]


class Progress:
    """How far retrainings are, each known by its place among them; what their workers report is told on."""

    def __init__(self, retrainings: Sequence[Retraining], front: Front, listener: Listener) -> None:
        self._retrainings, self._front, self._listener = retrainings, front, listener
        self._points = [retraining.history() for retraining in retrainings]

    def points(self, number: int) -> Mapping[int, Point]:
        """Epoch -> what one of them was."""
        return self._points[number]

    def last(self, number: int) -> Point | None:
        """The newest point of one of them."""
        return next(reversed(self._points[number].values()), None)

    def report(self, number: int, points: Iterable[Point], notice: str | None) -> bool:
        """Take in new points; the front that is confirmed stays as it is, and all of them go on."""
        if notice:
            self._listener.message(notice)
            self.start_again(number)
        known = self._points[number]
        for point in points:
            if point.epoch not in known:
                known[point.epoch] = point
                self._drop_unwanted(self._retrainings[number], point.epoch)
                self._listener.epoch_ended(dataclasses.replace(point, trial=number), self._front)
        return True

    def start_again(self, number: int) -> None:
        """Forget the points of one of them."""
        self._points[number] = {}

    def forget_checkpoint(self, number: int) -> None:
        """One of them does not go on."""
        forget_way_on(self._retrainings[number].folder)

    def _drop_unwanted(self, retraining: Retraining, epoch: int) -> None:
        if epoch not in retraining.epochs:
            retraining.network(epoch).unlink(missing_ok=True)


class Retrainings:
    """Hands out what has to be trained, and keeps what came of it.

    Attributes:
        failures: its place -> why it failed; it is trained again when it is asked for again.
    """

    def __init__(self, run: Run, retrainings: Sequence[Retraining], progress: Progress, score: Score) -> None:
        self._run, self._retrainings, self._progress, self._score = run, retrainings, progress, score
        self.failures: dict[int, str] = {}
        self._waiting = deque(self._unsettled())

    @property
    def left(self) -> int:
        """How many have to be trained still."""
        return len(self._waiting)

    def ask(self) -> Ask | None:
        """The next one."""
        if not self._waiting:
            return None
        number = self._waiting.popleft()
        return Ask(number, dict(self._retrainings[number].plan.settings))

    def complete(self, number: int, point: Point) -> None:
        """Score what one of them left for the front's points, and keep it."""
        del point  # those of the front's epochs are looked at
        retraining, kept = self._retrainings[number], self._run.confirmed
        for searched in retraining.points:
            confirmed = kept.get(searched.id, Confirmed(()))
            if retraining.plan.seed not in confirmed.seeds:
                kept[searched.id] = confirmed.joined_by(self._repeat(number, searched.epoch))
        self._run.keep_confirmed(kept)
        shutil.rmtree(retraining.folder / "models", ignore_errors=True)

    def fail(self, number: int, reason: str) -> None:
        """Remember why."""
        self.failures[number] = reason

    def repeats(self, number: int) -> bool:
        """Never: there are others with other seeds."""
        del number
        return False

    def _repeat(self, number: int, epoch: int) -> Repeat:
        retraining, point = self._retrainings[number], self._progress.points(number)[epoch]
        return Repeat(
            seed=retraining.plan.seed,
            validation_accuracy=point.validation_accuracy,
            test_accuracy=self._score(retraining.network(epoch)),
            parameters=point.parameters,
            macs=point.macs,
        )

    def _unsettled(self) -> Iterator[int]:
        """The places of those that have to be trained; what an earlier driver finished is kept now."""
        for number, retraining in enumerate(self._retrainings):
            if retraining.confirms(self._run.confirmed):
                continue
            if self._lacks_network(number):
                shutil.rmtree(retraining.folder)
                self._progress.start_again(number)
            last = self._progress.last(number)
            if last is None or last.epoch < retraining.plan.epochs:
                yield number
            else:
                self.complete(number, last)
                self._progress.forget_checkpoint(number)

    def _lacks_network(self, number: int) -> bool:
        """Whether one of them went past an epoch that is on the front since, without keeping its network."""
        retraining, passed = self._retrainings[number], self._progress.points(number)
        return any(epoch in passed and not retraining.network(epoch).exists() for epoch in retraining.epochs)
