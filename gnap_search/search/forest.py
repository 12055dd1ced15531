"""Forest: proposes the training that promises most for the front, measured against what it will cost.

A linear trend and, for what it leaves, a forest of extremely randomised trees (Geurts, Ernst and Wehenkel,
Machine Learning 2006) learn from the finished trainings how large and how accurate a network becomes with
given settings. As in SMAC (Hutter, Hoos and Leyton-Brown, LION 2011), what the trees disagree in, and how
far they are off, is what is not known. The promise of settings is the hypervolume that they are expected to
add to the front (Emmerich, 2005), where what running trainings will probably come to counts as reached. It
is divided by a power of the expected cost that falls from 1 to 0 while the study goes on (Snoek, Larochelle
and Adams, arXiv 1206.2944, section 3.2, and Lee et al., arXiv 2003.10870, section 3): cheap trainings come
first, and the last ones may cost what they want. That all of this works together as it does here is ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnap_search.front import LARGEST, LEAST_ERROR, SMALLEST, Front
from gnap_search.results import Point
from gnap_search.search.encoding import Encoding
from gnap_search.search.expense import Expense
from gnap_search.settings import Value
from gnap_search.space import Parameters

TREES = 40
ANYWHERE, NEARBY = 250, 250  # candidates: in the whole space, and around settings that the front came from
STEP = 0.15  # of those nearby, the standard deviation as a share of a range
LEARNT = 1000  # trainings at most, the newest: beyond, a proposal takes seconds and is hardly better
TREND = 0.3  # of the squares of the trend's coefficients
LEAST_DEVIATION = 0.03  # decades: a training repeated with another seed ends as far away
NOTHING = 1e-9  # of the box: so little is added when nothing is

Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Finished:
    """A training that came to its end, and where."""

    trial: int
    settings: Settings
    point: Point


@dataclasses.dataclass(frozen=True)
class Known:
    """What a study has learnt by now.

    `tried` are the settings of trainings whose outcome is not known: they run, or were stopped early. `costs`
    are of trainings that have begun, whole ones as estimated.
    """

    finished: Sequence[Finished]
    tried: Sequence[Settings]
    costs: Sequence[tuple[Settings, float]]
    front: Front


def proposal(
    parameters: Parameters, known: Known, random: np.random.Generator, thrift: float = 1.0
) -> dict[str, Value]:
    """The settings of the next training; at least one must have finished. `thrift` is the cost's power."""
    encoding = Encoding(parameters)
    candidates = _candidates(encoding, known, random)
    model = _Model(encoding, known.finished[-LEARNT:], random)
    steps = _Steps(known.front, model.expected(known.tried))
    promise = np.log10(steps.gains(model.outcomes(candidates)).mean(0) + NOTHING)
    expense = Expense(parameters, known.costs)
    costs = np.array([expense(settings) for settings in candidates])
    return candidates[int(np.argmax(promise - thrift * costs))]


def _candidates(encoding: Encoding, known: Known, random: np.random.Generator) -> list[dict[str, Value]]:
    shares = random.random((ANYWHERE, len(encoding.searched)))
    owners = {point.trial for point in known.front.points}
    good = [encoding.shares(one.settings) for one in known.finished if one.trial in owners]
    if good:
        chosen = np.array(good)[random.integers(0, len(good), NEARBY)]
        moved = np.abs(chosen + random.normal(0, STEP, chosen.shape))
        # Turned back at the ends of a range: cut off there, many would be the same corner.
        shares = np.concatenate([shares, np.clip(1 - np.abs(1 - moved), 0, 1)])
    return [encoding.settings(row) for row in shares.tolist()]


class _Model:
    """Settings -> log10 parameters, log10 MACs and log10 error of what they end as, a sample a tree.

    A linear trend, which goes on where nobody has been, and trees for what it leaves; each tree's answer is
    moved by noise as large as the trees' errors on trainings that they have not seen.
    """

    def __init__(self, encoding: Encoding, finished: Sequence[Finished], random: np.random.Generator) -> None:
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.linear_model import Ridge

        self._encoding = encoding
        inputs = self._inputs([one.settings for one in finished])
        outcomes = np.array([_outcome(one.point) for one in finished])
        self._trend = Ridge(TREND).fit(inputs, outcomes)
        left = outcomes - self._trend.predict(inputs)
        self._forest = ExtraTreesRegressor(
            TREES, bootstrap=True, random_state=int(random.integers(2**31))
        ).fit(inputs, left)
        self._noise = random.normal(0, 1, (TREES, 1, left.shape[1])) * self._deviation(inputs, left)

    def _deviation(self, inputs: np.ndarray, left: np.ndarray) -> np.ndarray:
        """The root mean square error of each outcome, of every tree on the trainings outside its sample."""
        squares = [LEAST_DEVIATION**2 * np.ones(left.shape[1])]
        for tree, drawn in zip(self._forest.estimators_, self._forest.estimators_samples_, strict=True):
            outside = np.setdiff1d(np.arange(len(inputs)), drawn)
            squares += list((tree.tree_.predict(inputs[outside])[..., 0] - left[outside]) ** 2)
        deviation: np.ndarray = np.sqrt(np.mean(squares, axis=0))
        return deviation

    def outcomes(self, settings: Sequence[Settings]) -> np.ndarray:
        """Samples x settings x outcomes."""
        moved: np.ndarray = self._means(self._inputs(settings)) + self._noise
        return moved

    def expected(self, settings: Sequence[Settings]) -> np.ndarray:
        """Settings x outcomes."""
        return self._means(self._inputs(settings)).mean(0) if settings else np.empty((0, 3))

    def _means(self, inputs: np.ndarray) -> np.ndarray:
        # The trees themselves: the forest's wrapping takes several times as long as they do.
        left = np.stack([tree.tree_.predict(inputs)[..., 0] for tree in self._forest.estimators_])
        means: np.ndarray = self._trend.predict(inputs) + left
        return means

    def _inputs(self, settings: Sequence[Settings]) -> np.ndarray:
        return np.array([self._encoding.features(one) for one in settings], dtype=np.float32)


class _Steps:
    """The front as steps of log10 parameters and error, with what is expected of those without outcome."""

    def __init__(self, front: Front, expected: np.ndarray) -> None:
        self._budget = front.budget
        steps = [(math.log10(max(one.parameters, 1)), 1 - one.validation_accuracy) for one in front.points]
        admitted = expected[self._admitted(expected)]
        steps += [(size, 10**error) for size, _, error in admitted.tolist()]
        sizes, errors = [SMALLEST], [1.0]
        for size, error in sorted(steps):
            if error < errors[-1]:
                sizes.append(max(size, SMALLEST))
                errors.append(error)
        self._edges, self._errors = np.array([*sizes, LARGEST]), np.array(errors)

    def gains(self, outcomes: np.ndarray) -> np.ndarray:
        """The hypervolume that each outcome would add: ... x 3 -> ..., in decades times accuracy."""
        size, error = outcomes[..., :1], np.maximum(10 ** outcomes[..., 2:], LEAST_ERROR)
        width = np.clip(self._edges[1:] - np.maximum(self._edges[:-1], size), 0, None)
        gained = (width * np.clip(self._errors - error, 0, None)).sum(-1)
        return np.where(self._admitted(outcomes), gained, 0.0)

    def _admitted(self, outcomes: np.ndarray) -> np.ndarray:
        """Which outcomes keep the limits that the front has."""
        size, macs, error = np.moveaxis(outcomes, -1, 0)
        kept = np.ones(size.shape, bool)
        if self._budget.max_parameters is not None:
            kept &= size <= math.log10(self._budget.max_parameters)
        if self._budget.max_macs is not None:
            kept &= macs <= math.log10(self._budget.max_macs)
        if self._budget.min_accuracy is not None:
            kept &= 1 - 10**error >= self._budget.min_accuracy
        return kept


def _outcome(point: Point) -> tuple[float, float, float]:
    return (
        math.log10(max(point.parameters, 1)),
        math.log10(max(point.macs, 1)),
        math.log10(max(1 - point.validation_accuracy, LEAST_ERROR)),
    )
