"""A front searched as the best accuracy at one size after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from gnap_search import spec
from gnap_search.results import Point
from gnap_search.search import slices
from gnap_search.search.slices import Slices
from tests.search.conftest import a_point, small_study

SPACE = {
    "price": {"low": 0.0, "high": 1.0},  # the higher, the smaller
    "skill": {"low": 0.0, "high": 1.0},  # best at the price
}


class Trained:
    """Trials of a made-up study: sizes from 100 to 10,000, accurate where skill and price agree."""

    def __init__(self, **limits: float) -> None:
        self.study = small_study(parameters=SPACE, constraints=limits)
        self.slices, self.ended = Slices(self.study, 0), list[FrozenTrial]()
        self.points_of: dict[int, Sequence[Point]] = {}
        self.asked: list[dict[str, float]] = []

    def train(self, price: float, skill: float, state: TrialState = TrialState.COMPLETE) -> None:
        distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
        trial = optuna.create_trial(
            params={"price": price, "skill": skill},
            distributions={"price": distribution, "skill": distribution},
            state=state,
            value=0.0 if state == TrialState.COMPLETE else None,
        )
        trial.number = len(self.ended)
        self.ended.append(trial)
        size = 10 ** (4 - 2 * price)
        accuracy = 0.99 - 0.3 * price**2 - 0.5 * abs(price - skill)
        self.points_of[trial.number] = [
            a_point(
                trial=trial.number, epoch=1, parameters=round(size * 3), validation_accuracy=accuracy - 0.1
            ),
            a_point(trial=trial.number, epoch=2, parameters=round(size), validation_accuracy=accuracy),
        ]

    def propose(self) -> None:
        points = [point for number in self.points_of for point in self.points_of[number]]
        proposal = self.slices.propose(
            self.study.front(points), self.ended, lambda trial: self.points_of[trial.number], self.costs
        )
        self.asked.append({name: float(value) for name, value in proposal.items()})
        self.train(self.asked[-1]["price"], self.asked[-1]["skill"])

    def costs(self) -> list[tuple[dict[str, float], float]]:
        """A training costs what its network is large."""
        return [(trial.params, 10 ** (4 - 2 * trial.params["price"])) for trial in self.ended]


def begun(**limits: float) -> Trained:
    trained, dice = Trained(**limits), np.random.default_rng(1)
    for _ in range(6):
        trained.train(*dice.random(2))
    return trained


def test_proposals_come_to_agree_at_all_sizes() -> None:
    trained = begun()
    for _ in range(60):
        trained.propose()
    late = trained.asked[30:]
    assert np.mean([abs(one["price"] - one["skill"]) for one in late]) < 0.15, "a third by chance"
    prices = np.array([one["price"] for one in late])
    assert prices.min() < 0.35 and prices.max() > 0.8, "the whole front is searched, not one end of it"


def test_what_is_past_a_limit_is_worth_less_than_nothing() -> None:
    slices = begun(max_params=500).slices
    fits, large = (a_point(parameters=size, validation_accuracy=0.8) for size in (400, 4_000))
    assert slices._worth(3.0, fits) == 0.8
    assert slices._worth(2.0, fits) == pytest.approx(-math.log10(4))
    assert slices._worth(5.0, large) == pytest.approx(-math.log10(8))
    assert slices._worth(3.0, large) < slices._worth(5.0, large) < 0


def test_failures_and_divergence_tell_nothing() -> None:
    trained = begun()
    trained.train(0.5, 0.5, TrialState.FAIL)
    trained.train(0.5, 0.5)
    last = trained.ended[-1].number
    trained.points_of[last] = [a_point(trial=last, validation_accuracy=math.nan)]
    trained.slices.propose(
        trained.study.front(trained.points_of[0]),
        trained.ended,
        lambda trial: trained.points_of[trial.number],
        trained.costs,
    )
    (search,) = trained.slices._searches.values()
    learnt = search._trials.get_trials(states=(TrialState.COMPLETE,))
    assert len(learnt) == 6


def test_of_very_many_trials_the_best_and_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "NEWEST", 20)
    monkeypatch.setattr(slices, "BEST", 3)
    monkeypatch.setattr(slices, "ANY", 1.0)  # always the same size, the largest
    trained = Trained()
    for number in range(100):
        trained.train(0.0, (37 * number % 100) / 100)  # the best are those of the least skill
        if number:
            trained.propose()
            trained.ended.pop()
            trained.points_of.popitem()
    (search,) = trained.slices._searches.values()
    known = [trial.params["skill"] for trial in search._trials.get_trials(states=(TrialState.COMPLETE,))]
    newest = [trial.params["skill"] for trial in trained.ended[-20:]]
    assert len(known) < 40 and set(newest) <= set(known)
    assert {0.0, 0.01, 0.02} <= set(known), "however long ago they were"


def test_the_same_seed_proposes_the_same() -> None:
    first, second = begun(), begun()
    for trained in (first, second):
        for _ in range(3):
            trained.propose()
    assert first.asked == second.asked


def test_other_costs_than_parameters_are_sizes_as_well() -> None:
    study = small_study(objectives=["accuracy", "macs"])
    assert Slices(study, 0)._size(a_point(parameters=10, macs=1_000)) == 3
    assert isinstance(study, spec.Study)
