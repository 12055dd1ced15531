"""Slices: a front as many searches, each for the best accuracy at one size.

The hypervolume of a front is the mean, over the logarithm of the size, of the best accuracy that is to be had
with at most so many parameters. So a front is searched for as that: a size is drawn between the front's ends,
each trial counts by the best accuracy that its network ever had within it, and Optuna's TPE (Bergstra et al.,
2011) proposes settings for this one objective. That is the constraint method of multi-objective optimisation
(Haimes, Lasdon and Wismer, 1971). It needs no weights, and it learns from whole trainings: one that ends
small was large on its way, and counts for both. Of several proposals the one whose training is expected to
cost least is taken.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from gnap_search import spec
from gnap_search.front import BOX, Front, decades
from gnap_search.results import Point
from gnap_search.search import samplers
from gnap_search.search.expense import Expense
from gnap_search.space import Parameters, draw

STEP = 0.2  # decades between neighbouring sizes
BELOW = 0.1  # decades below the front's smallest point that are searched as well
ANY = 0.25  # the share of proposals for the best accuracy at any size, without which few large ones are tried
DRAWS = 4  # proposals of which the cheapest is taken
EFFORT = 1000  # trials that are looked at for one proposal, all draws together, where it is more than one
NEWEST, BEST = 500, 25  # trials that a search keeps of twice as many; TPE learns from 25 what is good

Settings = Mapping[str, Any]
Known = Callable[[FrozenTrial], Iterable[Point]]  # of a trial: the points of it that may stand on a front


class Slices:
    """Proposals for one study with a single cost, from what its trials have come to."""

    def __init__(self, study: spec.Study, seed: int) -> None:
        self._study, (self._cost,) = study, study.costs
        self._budget = study.constraints.budget()
        self._dice = np.random.default_rng([seed, 1])
        self._searches: dict[int, _Search] = {}

    def propose(
        self,
        front: Front,
        ended: Sequence[FrozenTrial],
        points: Known,
        costs: Callable[[], Sequence[tuple[Settings, float]]],
    ) -> Settings:
        """The searched settings of a trial.

        Args:
            front: the study's, with at least one point.
            ended: the trials that have, however they did; at least one.
            points: what is known of any of them.
            costs: gives settings of trainings, and what they cost, where that is wanted.
        """
        search = self._search(self._place(front))
        search.learn(ended, points)
        draws = min(max(EFFORT // len(ended), 1), DRAWS)
        proposals = [search.draw(self._study.parameters) for _ in range(draws)]
        if draws == 1:
            return proposals[0]
        return min(proposals, key=Expense(self._study.parameters, costs()))

    def _search(self, place: int) -> _Search:
        if place not in self._searches:
            size = place * STEP
            worth = functools.partial(self._worth, size)
            self._searches[place] = _Search(f"10^{size:.1f}", self._sampler, worth)
        return self._searches[place]

    def _sampler(self) -> TPESampler:
        return samplers.tpe(self._study, int(self._dice.integers(2**31)), startup=0, beside=False)

    def _place(self, front: Front) -> int:
        """The size to search at, in steps: the largest that counts, or one between the front's ends."""
        if self._dice.random() < ANY:
            return math.ceil(BOX[self._cost][1] / STEP)
        sizes = [self._size(point) for point in front.points]
        lowest, highest = min(sizes) - BELOW, max(sizes)
        return int(self._dice.integers(math.ceil(lowest / STEP), math.ceil(highest / STEP), endpoint=True))

    def _worth(self, size: float, point: Point) -> float:
        """What a point is worth at a size: its accuracy, or, below 0, how far it is past size and limits."""
        past = [gap for gap in (self._size(point) - size, *self._budget.violations(point)) if gap > 0]
        return -sum(past) if past else point.validation_accuracy

    def _size(self, point: Point) -> float:
        return decades(point, self._cost)


class _Search:
    """The search at one size, with its trials in Optuna's memory, and of very many only those that matter."""

    def __init__(self, name: str, sampler: Callable[[], TPESampler], worth: Callable[[Point], float]) -> None:
        self._name, self._sampler, self._worth = name, sampler, worth
        self._seen = set[int]()
        self._remember([])

    def learn(self, ended: Iterable[FrozenTrial], points: Known) -> None:
        """Take in the trials that are new; those that failed tell nothing."""
        for trial in ended:
            if trial.number not in self._seen:
                self._seen.add(trial.number)
                self._add(trial, [self._worth(point) for point in points(trial)])
        known = self._trials.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(known) >= 2 * NEWEST:
            older, newest = known[:-NEWEST], known[-NEWEST:]
            self._remember(sorted(older, key=_value)[-BEST:] + newest)

    def draw(self, parameters: Parameters) -> Settings:
        """Settings that promise more than those that were tried."""
        trial = self._trials.ask()
        draw(parameters, trial)
        self._trials.tell(trial, state=TrialState.FAIL)  # it counts when it has been trained
        return dict(trial.params)

    def _remember(self, known: list[FrozenTrial]) -> None:
        """Begin anew with these, because Optuna forgets none."""
        self._trials = optuna.create_study(
            direction="maximize", sampler=self._sampler(), study_name=self._name
        )
        self._trials.add_trials(known)

    def _add(self, trial: FrozenTrial, worths: Iterable[float]) -> None:
        finite = [worth for worth in worths if math.isfinite(worth)]
        if finite and trial.state != TrialState.FAIL:
            told = optuna.create_trial(
                params=trial.params, distributions=trial.distributions, value=max(finite)
            )
            self._trials.add_trial(told)


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None  # it was told with one
    return trial.value
