"""The forest proposes what promises most for its cost, and keeps to what the front admits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gnap_search.front import Budget, Front
from gnap_search.search import forest
from gnap_search.search.forest import Finished, Known
from tests.search.conftest import a_point, small_study

SPACE = small_study(
    parameters={
        "strength": {"low": 1e-4, "high": 1e-1, "log": True},
        "quality": {"low": 0.0, "high": 1.0},
    }
).parameters


def outcome(trial: int, settings: dict):
    """A smaller network the harder it is pruned, a better one the better its quality."""
    size = int(10 / settings["strength"])
    accuracy = 0.99 - 0.3 * (1 - settings["quality"]) - 0.02 / np.log10(size)
    return a_point(trial=trial, parameters=size, macs=100 * size, validation_accuracy=float(accuracy))


def known(count: int, budget: Budget = Budget(), cost=lambda _: 1.0) -> Known:
    random = np.random.default_rng(0)
    tried = [
        {"strength": float(10 ** random.uniform(-4, -1)), "quality": float(random.random())}
        for _ in range(count)
    ]
    finished = [Finished(trial, one, outcome(trial, one)) for trial, one in enumerate(tried)]
    front = Front([one.point for one in finished], budget)
    return Known(finished, [], [(one, cost(one)) for one in tried], front)


def proposals(of: Known, count: int = 12):
    return [forest.proposal(SPACE, of, np.random.default_rng(seed)) for seed in range(count)]


def test_it_finds_what_is_good():
    assert np.mean([one["quality"] for one in proposals(known(40))]) > 0.9


def test_it_prefers_what_is_cheap():
    dear = proposals(known(40, cost=lambda one: 1e3 if one["quality"] > 0.6 else 1.0))
    assert np.mean([one["quality"] for one in dear]) < 0.8


def test_it_keeps_to_the_limits_of_the_front():
    for one in proposals(known(40, Budget(max_parameters=1000))):
        assert 10 / one["strength"] < 1500  # what it predicts is not exact
    for one in proposals(known(40, Budget(max_macs=100_000))):
        assert 10 / one["strength"] < 1500


def test_what_runs_already_is_not_proposed_again():
    best = {"strength": 1e-2, "quality": 1.0}
    before = dataclasses.replace(known(40), front=Front())
    after = dataclasses.replace(before, tried=[best])
    assert _promise(after, best) < _promise(before, best) / 5


def _promise(of: Known, settings: dict) -> float:
    encoding = forest.Encoding(SPACE)
    model = forest._Model(encoding, of.finished, np.random.default_rng(0))
    steps = forest._Steps(of.front, model.expected(of.tried))
    return float(steps.gains(model.outcomes([settings])).mean())


def test_the_same_study_gets_the_same_proposal():
    assert proposals(known(10), 3) == proposals(known(10), 3)


@pytest.mark.parametrize("count", [1, 3])
def test_few_trainings_are_enough(count: int):
    for one in proposals(known(count), 3):
        assert 1e-4 <= one["strength"] <= 1e-1


def test_the_gain_is_the_hypervolume_that_a_point_adds():
    points = [a_point(trial=0, parameters=100, validation_accuracy=0.8)]
    points += [a_point(trial=1, parameters=1000, validation_accuracy=0.9)]
    front = Front(points)
    steps = forest._Steps(front, np.empty((0, 3)))
    for parameters, accuracy in [(50, 0.7), (300, 0.95), (2000, 0.99), (2000, 0.85), (100, 0.8)]:
        told = np.array([[np.log10(parameters), 3.0, np.log10(1 - accuracy)]])
        added = Front([*points, a_point(trial=2, parameters=parameters, validation_accuracy=accuracy)])
        gained = 6 * (added.hypervolume() - front.hypervolume())
        assert steps.gains(told)[0] == pytest.approx(gained, abs=1e-9)
