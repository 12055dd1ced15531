"""Lines: a study as plain text, for logs and pipes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from gnap_search.front import Front
from gnap_search.report import wording
from gnap_search.report.tally import Running, Tally
from gnap_search.results import Point

PAUSE = 5.0  # seconds at least between two lines about epochs


class Lines:
    """A listener that writes a line where a trial starts or ends, and now and then one in between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._tally = Tally(clock)
        self._spoke = clock()

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        self._tally.study_started(settled, target, workers, front)
        before = f", {settled} of them settled before" if settled else ""
        self._say(f"{wording.plural(target, 'trial')}, {workers} at a time{before}")

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        self._tally.trial_started(trial, settings, epochs)
        self._say(f"trial {trial} starts: {wording.assignments(settings)}")

    def epoch_ended(self, point: Point, front: Front) -> None:
        self._tally.epoch_ended(point, front)
        if self._clock() - self._spoke >= PAUSE:
            running = self._tally.running.get(point.trial)
            epochs = f"/{running.epochs}" if running else ""
            place = f"trial {point.trial} epoch {point.epoch}{epochs}"
            self._say(f"{place}: {_size(point)}, {point.phase}; {self._all()}")

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        running = self._tally.trial_ended(trial, failure, again=again)
        if failure is not None:
            self._say(f"trial {trial} failed: {failure}; {self._all()}")
            return
        last = f": {_size(running.point)}" if running and running.point else ""
        self._say(f"trial {trial} {_end(running)}{last}; {self._all()}")

    def message(self, text: str) -> None:
        self._say(text)

    def _all(self) -> str:
        """How far the whole study is."""
        tally, left = self._tally, self._tally.seconds_left
        wait = f", about {wording.duration(left)} left" if left else ""
        points = wording.plural(len(tally.front.points), "front point")
        return f"{tally.trials_done} of {tally.target} trials, {points}{wait}"

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
        self._spoke = self._clock()


def _end(running: Running | None) -> str:
    """How a trial has ended that did not fail."""
    if running is None or not 0 < running.epoch < running.epochs:
        return "finished"
    return f"stopped early, after {running.epoch} of {running.epochs} epochs"


def _size(point: Point) -> str:
    parameters = wording.plural(point.parameters, "parameter")
    return f"{parameters}, {wording.accuracy(point.validation_accuracy)} validation"
