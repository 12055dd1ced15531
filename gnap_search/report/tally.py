"""Tally: what a listener has heard so far, counted once for every kind of report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from gnap_search.front import Front
from gnap_search.results import Point


@dataclasses.dataclass
class Running:
    """A trial that is being trained, and its newest point."""

    settings: Mapping[str, Any]
    epochs: int
    point: Point | None = None

    @property
    def epoch(self) -> int:
        """Epochs done, those before a resume included."""
        return self.point.epoch if self.point else 0


class Tally:
    """Trials, epochs, failures and the front of a study that is being watched.

    A live view reads it from a thread of its own, while trials begin and end.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.settled = self.target = self.epochs = 0
        self.front = Front()
        self.running: dict[int, Running] = {}
        self.over: set[int] = set()
        self.failures: dict[int, str] = {}
        self._clock, self._started = clock, clock()
        self._heard, self._first_heard = 0, 0.0

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        del workers
        self.settled, self.target, self.front = settled, target, front
        self._started = self._clock()

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        self.running[trial] = Running(settings, epochs)
        self.epochs = epochs

    def epoch_ended(self, point: Point, front: Front) -> None:
        self.front = front
        self._heard += 1
        if self._heard == 1:
            self._first_heard = self._clock()
        if point.trial in self.running:
            self.running[point.trial].point = point

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> Running | None:
        """Note it, and hand back what was known of the trial while it ran."""
        if failure is not None:
            self.failures[trial] = failure
        if not again:
            self.over.add(trial)
        return self.running.pop(trial, None)

    @property
    def elapsed(self) -> float:
        """Seconds since the study was started or resumed."""
        return self._clock() - self._started

    @property
    def trials_done(self) -> int:
        """Trials that are over, those before a resume included; one that is tried again is not."""
        return min(self.target, self.settled + len(self.over))

    @property
    def share(self) -> float:
        """How much of all epochs of all trials is done, from 0 to 1."""
        total = self.target * self.epochs
        return min(1.0, self._epochs_done() / total) if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace since the first epoch; None before there is one.

        What came before that epoch was the start of processes, which does not come again.
        """
        if self._heard < 2:
            return None
        left = max(0, self.target * self.epochs - self._epochs_done())
        return left * (self._clock() - self._first_heard) / (self._heard - 1)

    def _epochs_done(self) -> int:
        running = list(self.running.values())  # at once: another thread may add to it meanwhile
        return self.trials_done * self.epochs + sum(trial.epoch for trial in running)
