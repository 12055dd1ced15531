"""What decides on a trial is told by objective, quickly, and not before there is enough to tell it from."""

from __future__ import annotations

import json
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial
from rich.console import Console

from gnap_search import spec
from gnap_search.report import pages
from gnap_search.runs import Run
from gnap_search.search import answers, importance, storage
from gnap_search.search.importance import LEAST_TRIALS
from gnap_search.search.marks import FROM_STUDY, KNOWN
from tests.search.conftest import small_study


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def trials(count: int, **attributes: object) -> list[FrozenTrial]:
    """Strength decides on accuracy and scale on size; the trigger and its period decide on nothing."""
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(count):
        trial = study.ask()
        strength = trial.suggest_float("strength", 1e-4, 1e-2, log=True)
        scale = trial.suggest_float("scale", 0.5, 2)
        if trial.suggest_categorical("trigger", ["saturation", "periodic"]) == "periodic":
            trial.suggest_int("period", 2, 9)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        study.tell(trial, [1 - 10 * strength, scale])
    return study.get_trials()


@pytest.mark.parametrize("count", [24, 200])
def test_each_objective_has_what_decides_on_it_first(count: int) -> None:
    asked = trials(count)
    start = time.perf_counter()
    found = importance.measured(asked)
    assert time.perf_counter() - start < 2
    assert list(found) == ["accuracy", "parameters"]
    assert next(iter(found["accuracy"])) == "strength" and next(iter(found["parameters"])) == "scale"
    for shares in found.values():
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert set(shares) == {"strength", "scale", "trigger", "period"}
    assert json.loads(json.dumps(found)) == found


def test_nothing_is_told_of_few_trials_or_of_those_of_other_studies() -> None:
    few = trials(LEAST_TRIALS - 1)
    assert not importance.measured(few)
    assert not importance.measured([*few, *trials(9, **{FROM_STUDY: "other", KNOWN: 0})])


def test_what_does_not_vary_is_left_out() -> None:
    asked = trials(24)
    for trial in asked:
        trial.params["scale"] = 1.0
        trial.values = [trial.values[0], 3.0]
    found = importance.measured(asked)
    assert list(found) == ["accuracy"] and "scale" not in found["accuracy"]


def test_a_study_shows_what_decides(tmp_path: Path) -> None:
    run = Run(tmp_path / "one")
    run.folder.mkdir()
    (run.folder / "study.toml").write_text(small_study().to_toml())
    (run.folder / "launch.toml").write_text(spec.Launch().to_toml())
    held = storage.connect(run.folder, None)
    storage.study(held, run.name).add_trials(trials(24))
    held.remove_session()
    held.engine.dispose()
    status = answers.full_status(run)
    assert set(status.importances) == {"accuracy", "parameters"} and not answers.status(run).importances
    console = Console(width=100)
    with console.capture() as shown:
        console.print(pages.status(status))
    assert "for accuracy: strength" in shown.get() and "for parameters: scale" in shown.get()
    assert "better half" in shown.get()
