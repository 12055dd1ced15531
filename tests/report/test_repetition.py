"""Trainings of a study as a file for the plain loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gnap_search import catalog, spec
from gnap_search.report import repetition
from gnap_search.results import History, Point
from gnap_search.runs import Run
from gnap_search.training import configurations
from gnap_search.training.configurations import Configurations
from gnap_search.training.plan import Plan

MakePoint = Callable[..., Point]
SEEDS, STRENGTHS = (
    (4_000_000_000, 1, 4),
    (1e-3, 1e-4, 1e-3),
)  # the first and the last differ in the seed alone


@pytest.fixture
def run(tmp_path: Path, make_point: MakePoint) -> Run:
    """A study of three trials, all of them on its front, the first one twice."""
    study = spec.load("digits").model_copy(update={"augmentation": ("affine",), "training_images": 500})
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "study.toml").write_text(study.to_toml())
    points = [make_point(0, 1, 100, 0.5), make_point(0, 2, 200, 0.6), make_point(1, 2, 300, 0.7)]
    for point in (*points, make_point(2, 2, 400, 0.8)):
        folder = tmp_path / "one" / "trials" / str(point.trial)
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"pruning_strength": STRENGTHS[point.trial], "saturation_patience": 3}
        plan = Plan(point.trial, seed=SEEDS[point.trial], settings=settings, **study.for_each_trial())
        (folder / "plan.json").write_text(plan.to_json())
        History(folder / "history.jsonl").append(point)
    return Run(tmp_path / "one")


def read(text: str, folder: Path) -> Configurations:
    (folder / "trials.toml").write_text(text)
    return configurations.read(folder / "trials.toml")


def test_each_settings_of_the_front_gets_seeds_that_the_study_never_had(run: Run, tmp_path: Path) -> None:
    text = repetition.with_fresh_seeds(run, run.front().points, 3, "trials.toml")
    asked = read(text, tmp_path)
    assert [plan.seed for plan in asked.plans] == [0, 2, 3] * 2
    assert [plan.settings["pruning_strength"] for plan in asked.plans] == [1e-3] * 3 + [1e-4] * 3
    assert {plan.settings["saturation_patience"] for plan in asked.plans} == {3}
    assert {(plan.epochs, plan.augmentation, plan.dataset, plan.training_images) for plan in asked.plans} == {
        (run.study.epochs, ("affine",), "digits", 500)
    }
    assert "python -m gnap_search.training trials.toml --out runs/one-repeated" in text.splitlines()[1]


def test_only_the_points_that_are_named_are_repeated(run: Run, tmp_path: Path) -> None:
    asked = read(repetition.with_fresh_seeds(run, run.front().points[2:3], 1, "x.toml"), tmp_path)
    assert [plan.settings["pruning_strength"] for plan in asked.plans] == [1e-4]


def test_as_they_were_means_with_their_own_seeds(run: Run, tmp_path: Path) -> None:
    asked = read(repetition.as_they_were(run, [0, 2], "x.toml"), tmp_path)
    assert [plan.seed for plan in asked.plans] == [SEEDS[0], SEEDS[2]]


def test_a_study_of_a_method_without_a_space_of_its_name_is_complete(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {kind: catalog.names(kind) for kind in ("methods", "search_spaces")}
    names["search_spaces"].remove("gnap")
    monkeypatch.setattr(catalog, "names", names.get)
    assert repetition.whole_study(run) == run.study.to_toml()
