"""Patience: whether a study's front still moves, so that more trials are worth asking for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from optuna.trial import FrozenTrial, TrialState

from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.search.roll import Roll

# Of the box in which hypervolume is measured: 0.06 % more accuracy over one decade of sizes, which is three
# of 5,000 validation images. What moves a front by less may as well be luck.
LEAST_PROGRESS = 1e-4


def stalled(trials: Sequence[FrozenTrial], points: Iterable[Point], empty: Front, patience: int) -> bool:
    """Whether the front has not moved over the last `patience` trials of a study's whole life.

    Those count that were completed or stopped early. Failed trials have points too, and do not count. Nor do
    those that are still running, but what they have found already is progress. With a patience of 0 no front
    has stalled. `empty` is the study's front without any points.
    """
    roll, found = Roll(), defaultdict[int, list[Point]](list)
    roll.follow(trials)
    for point in points:
        found[point.trial].append(point)
    front = empty.of(point for of_trial in found.values() for point in of_trial)
    return Watch(empty).stalled(roll.ended, patience, found.__getitem__, front)


class Watch:
    """Finds the same out time and again, while trials end: the front before the last ones only grows."""

    def __init__(self, empty: Front) -> None:
        self._empty, self._before = empty, empty.of(())
        self._early: list[int] = []

    def stalled(
        self,
        ended: Sequence[FrozenTrial],
        patience: int,
        points: Callable[[int], Iterable[Point]],
        front: Front,
    ) -> bool:
        """Whether it has: `ended` are trials in that order, `points` those of one, and the `front` of all."""
        if not patience:
            return False
        trained = [place for place, trial in enumerate(ended) if trial.state != TrialState.FAIL]
        if patience >= len(trained):
            return False
        early = [trial.number for trial in ended[: trained[-patience]]]
        if early[: len(self._early)] != self._early:  # the machine's clock was set back
            self._early, self._before = [], self._empty.of(())
        for number in early[len(self._early) :]:
            for point in points(number):
                self._before.add(point)
        self._early = early
        return front.hypervolume() - self._before.hypervolume() <= LEAST_PROGRESS
