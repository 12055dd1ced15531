"""Conditional settings and limits end to end, with real training."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnap_search import spec
from gnap_search.runs import Run
from gnap_search.search import launch
from tests.search.conftest import Notes, asked, check_laws, load, small_study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_session"), pytest.mark.timeout(240)]
PARAMETERS = {
    "growth_trigger": ["saturation", "periodic"],
    "growth_period": {"low": 2, "high": 5, "when": {"growth_trigger": "periodic"}},
    "pruning_strength": {"low": 1e-4, "high": 3e-3, "log": True},
}


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])  # the ledger's tests have all of them
def test_a_conditional_setting_is_drawn_where_its_condition_holds(tmp_path: Path, sampler: str) -> None:
    """Six trials, so that those samplers that learn propose some that are not spread out."""
    limits = {"max_params": 2000, "min_accuracy": 0.05}
    study = small_study(trials=6, epochs=1, sampler=sampler, parameters=PARAMETERS, constraints=limits)
    summary = launch.run(study, tmp_path / "one", spec.Launch(), Notes(), load)
    assert (summary.complete, summary.failed) == (6, 0)
    run = Run(tmp_path / "one")
    check_laws(run)
    for trial in asked(run):
        settings = run.plan(trial.number)["settings"]
        assert settings == trial.params
        assert ("growth_period" in settings) == (settings["growth_trigger"] == "periodic")
        assert set(trial.constraints) == set(limits)
    assert {trial.params["growth_trigger"] for trial in asked(run)} == {"saturation", "periodic"}
    assert all(point.parameters <= 2000 for point in run.front().points)
