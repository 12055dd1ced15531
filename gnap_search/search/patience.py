"""Patience: whether a study's front still moves, so that more trials are worth asking for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optuna.trial import FrozenTrial, TrialState

from gnap_search.front import Front
from gnap_search.results import Point

# Of the box in which hypervolume is measured: 0.06 % more accuracy over one decade of sizes, which is three
# of 5,000 validation images. What moves a front by less may as well be luck.
LEAST_PROGRESS = 1e-4


def stalled(trials: Iterable[FrozenTrial], points: Sequence[Point], empty: Front, patience: int) -> bool:
    """Whether the front has not moved over the last `patience` trials of a study's whole life.

    Those count that were completed or stopped early. Failed trials have points too, and do not count. Nor do
    those that are still running, but what they have found already is progress. With a patience of 0 no front
    has stalled. `empty` is the study's front without any points.
    """
    ended = sorted(
        (trial for trial in trials if trial.datetime_complete),
        key=lambda trial: (trial.datetime_complete, trial.number),
    )
    trained = [place for place, trial in enumerate(ended) if trial.state != TrialState.FAIL]
    if not 0 < patience < len(trained):
        return False
    early = {trial.number for trial in ended[: trained[-patience]]}
    before = empty.of(point for point in points if point.trial in early)
    return empty.of(points).hypervolume() - before.hypervolume() <= LEAST_PROGRESS
