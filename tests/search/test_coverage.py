"""The first proposals lie evenly, and depend on the study alone."""

from __future__ import annotations

import math

import pytest

from gnap_search import spec
from gnap_search.search import coverage
from tests.search.conftest import small_study


@pytest.mark.parametrize("count", [4, 8, 16])
def test_first_proposals_lie_in_different_parts_of_a_range(count: int):
    low, high = math.log10(1e-4), math.log10(3e-3)
    for seed in range(10):
        study = small_study(seed=seed, trials=3 * count)
        strengths = [math.log10(one["pruning_strength"]) for one in coverage.proposals(study)[:count]]
        assert {int((strength - low) / (high - low) * count) for strength in strengths} == set(range(count))


def test_ranges_are_tried_more_often_near_their_cheap_ends():
    ends = {"low": "low", "high": "high", "none": None}
    study = small_study(
        trials=48,
        parameters={name: {"low": 0.0, "high": 1.0, "cheap": cheap} for name, cheap in ends.items()},
    )
    drawn = {name: sorted(one[name] for one in coverage.proposals(study)) for name in ends}
    assert drawn["low"][7] < 0.36 and drawn["high"][8] > 0.64 and 0.4 < drawn["none"][8] < 0.6
    assert all(values[0] < 0.1 and values[-1] > 0.9 for values in drawn.values())  # the whole range, still


def test_a_longer_study_begins_like_a_shorter_one():
    short, long = small_study(trials=8), small_study(trials=80)
    assert coverage.proposals(short) == coverage.proposals(long)[:4]


def test_other_seeds_begin_differently():
    assert coverage.proposals(small_study(seed=1)) != coverage.proposals(small_study(seed=2))


@pytest.mark.parametrize(("trials", "expected"), [(1, 1), (3, 3), (8, 4), (24, 8), (1000, 16)])
def test_about_a_third_is_spread_out(trials: int, expected: int):
    assert coverage.size(small_study(trials=trials)) == expected


def test_a_sampler_with_a_start_of_its_own_keeps_it():
    assert coverage.proposals(small_study(sampler="random")) == []


def test_values_stay_in_their_ranges_and_conditions_hold():
    study = small_study(
        trials=48,
        parameters={
            "kind": ["plain", "deep"],
            "depth": {"low": 2, "high": 9, "when": {"kind": "deep"}},
            "rate": {"low": 1e-3, "high": 1e-1, "log": True},
            "fixed": 5,
        },
    )
    drawn = coverage.proposals(study)
    assert len(drawn) == 16
    assert all(("depth" in values) == (values["kind"] == "deep") for values in drawn)
    assert {values["depth"] for values in drawn if "depth" in values} <= set(range(2, 10))
    assert all(1e-3 <= values["rate"] <= 1e-1 and "fixed" not in values for values in drawn)


@pytest.mark.parametrize("trials", [3, 5, 24])
def test_of_several_methods_each_has_its_turn(trials: int):
    methods = ("gnap", "rigl", "dense", "cgap", "dhp")
    study = spec.resolve({"dataset": "digits", "method": ",".join(methods), "trials": trials})
    first = coverage.proposals(study)
    assert [one["method"] for one in first] == [*methods, *methods][: min(trials, 8)]
    strengths = [one["gnap.pruning_strength"] for one in first if one["method"] == "gnap"]
    assert len(set(strengths)) == len(strengths) and all(len(one) > 1 for one in first[:2])


def test_a_small_discrete_space_is_gone_through_once():
    study = small_study(trials=48, parameters={"kind": ["a", "b"], "count": {"low": 1, "high": 3}})
    drawn = [tuple(one.items()) for one in coverage.proposals(study)]
    assert len(drawn) == len(set(drawn)) == 6


def test_nothing_searched_is_nothing_proposed():
    assert coverage.proposals(small_study(parameters={"fixed": 1})) == [{}]
