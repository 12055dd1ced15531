"""Given trainings once more, for equally much."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import equal_cost
from gnap_search.runs import Run
from gnap_search.training.plan import Plan

COSTS = {"gnap": 4e9, "rigl": 1e9, "dense": 2e9, "magnitude": 5e8}  # of a training of ten epochs


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two seeds of every method."""
    results = []
    for method, cost in COSTS.items():
        for seed in (1, 2):
            trial = len(results)
            plan = Plan(trial, "digits", method, "plain-cnn", "classification", 10, seed, None, {})
            (tmp_path / "trials" / str(trial)).mkdir(parents=True)
            (tmp_path / "trials" / str(trial) / "plan.json").write_text(plan.to_json())
            spent = [{"training_macs": 0}, {"training_macs": cost * (0.5 + (seed - 1))}]
            results.append({**dataclasses.asdict(plan), "history": spent})
    (tmp_path / "results.json").write_text(json.dumps({"trials": results}))
    return Run(tmp_path)


def test_every_training_may_cost_what_the_first_method_does_as_far_as_that_is_sensible(run: Run) -> None:
    asked = equal_cost.once_more(run)
    assert [(plan.method, plan.epochs) for plan in asked.plans[::2]] == [
        ("gnap", 10),
        ("rigl", 40),
        ("dense", 20),
        ("magnitude", 40),  # eight times as many would be the same cost
    ]
    assert [plan.seed for plan in asked.plans] == [1, 2] * 4
    assert [plan.trial for plan in asked.plans] == [*range(8)]


def test_the_first_method_too_may_train_for_longer_at_a_multiple_of_its_cost(run: Run) -> None:
    asked = equal_cost.once_more(run, times=2.0)
    assert [(plan.method, plan.epochs) for plan in asked.plans[::2]] == [
        ("gnap", 20),
        ("rigl", 40),
        ("dense", 40),
        ("magnitude", 40),
    ]
