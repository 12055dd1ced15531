"""A refit: a front point's training once more, on the validation images too."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import gnap_search
from gnap_search import datasets, spec
from gnap_search import refit as refits
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.refit import refit
from gnap_search.report.quiet import Quiet
from gnap_search.results import History, Point, network
from gnap_search.runs import Run
from gnap_search.training import loop
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

EPOCHS, IMAGES, VALIDATION = 3, 300, 360
SETTINGS: tuple[dict[str, float], ...] = (
    {"pruning_strength": 1e-3},
    {"pruning_strength": 1e-3, "seed_scale": 0.5},
)


class Ear(Quiet):
    """A listener that keeps what it hears, and presses Ctrl-C after so many epochs."""

    def __init__(self, patience: int = EPOCHS) -> None:
        self.heard: list[str] = []
        self.epochs: list[int] = []
        self._patience = patience

    def epoch_ended(self, point: Point, front: Front) -> None:
        del front
        self.epochs.append(point.epoch)
        if len(self.epochs) == self._patience:
            raise KeyboardInterrupt

    def message(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture
def data() -> Data:
    return datasets.load("digits", training_images=IMAGES)


@pytest.fixture
def run(tmp_path: Path, data: Data) -> Run:
    """A study of two trials, as a search leaves it."""
    study = spec.Study(dataset="digits", epochs=EPOCHS, training_images=IMAGES)
    folder = tmp_path / "runs" / "few-digits"
    for number, settings in enumerate(SETTINGS):
        plan = Plan(number, seed=7, settings=settings, **study.for_each_trial())
        trial = Trial(plan, data, folder / "trials" / str(number))
        while not trial.finished:
            trial.advance()
    (folder / "study.toml").write_text(study.to_toml())
    (folder / "launch.toml").write_text(spec.Launch().to_toml())
    (folder / "environment.json").write_text(json.dumps({"data_digest": data.digest}))
    return Run(folder)


def export(run: Run, directory: Path, listener: Ear, **wanted: Any) -> dict[str, Any]:
    """What the model card's manifest tells."""
    gnap_search.export(
        run.name, runs=run.folder.parent, directory=directory, refit=True, listener=listener, **wanted
    )
    told: dict[str, Any] = json.loads((directory / "model.json").read_text())
    return told


def test_the_validation_images_are_trained_on_too(run: Run, tmp_path: Path) -> None:
    searched, before, ear = run.front().best, list(run.points()), Ear(99)
    told = export(run, tmp_path / "new", ear, point=searched.id)
    plan = Plan.from_json((run.folder / "refits" / searched.id / "plan.json").read_text())
    assert (plan.seed, plan.trial, plan.epochs, plan.validation_images) == (7, searched.trial, EPOCHS, 10)
    images = IMAGES + VALIDATION - 10
    price = pytest.approx(1e-3 * IMAGES / images)
    assert plan.settings == {**SETTINGS[searched.trial], "pruning_strength": price, "batch_size": 16}
    errand = loop.Errand(plan, tmp_path, tmp_path, "cpu")
    assert told["data_digest"] == errand.load(download=False).digest, "whoever has the plan has the data"
    assert told["images"] == {"train": images, "validation": 10, "test": 360}
    assert told["config"] == plan.settings and ear.epochs == [*range(1, EPOCHS + 1)]
    points = list(History(run.folder / "refits" / searched.id / "history.jsonl"))
    assert told["refit"]["parameters"] == points[told["epochs"] - 1].parameters
    kept = {int(path.stem) for path in (run.folder / "refits" / searched.id / "models").iterdir()}
    assert kept == {
        point.epoch
        for point in points
        if not any(
            later.parameters == point.parameters and later.macs <= point.macs
            for later in points[point.epoch :]
        )
    }
    assert ear.heard[0].startswith(f"trained on {images} images now, all for validation but 10 among them;")
    assert told["refit"]["images"] == images and told["refit"]["searched"] == searched.told(None)
    assert told["refit"]["parameters"] == told["cost"]["parameters"]
    assert told["validation_accuracy"] is None and 0 < told["test_accuracy"] <= 1
    card = (tmp_path / "new" / "model.md").read_text()
    assert f"| the point that was searched, {searched.parameters:,} parameters |" in card
    assert list(run.points()) == before, "the study stays as it is"


@examples(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=8))
def test_whatever_may_be_wanted_is_kept(
    make_point: Callable[..., Point], sizes: list[tuple[int, int]]
) -> None:
    points = [
        dataclasses.replace(make_point(0, epoch, parameters, 0.5), macs=macs)
        for epoch, (parameters, macs) in enumerate(sizes, start=1)
    ]
    with tempfile.TemporaryDirectory() as place:
        trial = cast(Trial, SimpleNamespace(points=points, folder=Path(place)))
        (trial.folder / "models").mkdir()
        for point in points:
            network(trial.folder, point.epoch).touch()
        refits._drop_needless(trial)
        for limits in (Budget(), *(Budget(most, macs) for most in range(1, 5) for macs in (2, None))):
            wanted = refits._wanted(points, limits)
            assert wanted is None or network(trial.folder, wanted.epoch).exists()


def test_one_that_was_broken_off_goes_on_and_one_that_has_ended_is_not_repeated(
    run: Run, data: Data, tmp_path: Path
) -> None:
    searched = next(point for point in run.points() if point.epoch == EPOCHS)
    with pytest.raises(KeyboardInterrupt):
        refit(run, [searched], data, Budget(), Ear(2))
    second, third = Ear(99), Ear(99)
    found = refit(run, [searched], data, Budget(), second)
    assert refit(run, [searched], data, Budget(), third).notes == found.notes
    assert (second.epochs, third.epochs) == ([3], [])
    (tmp_path / "again").mkdir()
    folder = run.folder / "refits" / searched.id
    whole = Trial(Plan.from_json((folder / "plan.json").read_text()), found.data, tmp_path / "again")
    while not whole.finished:
        whole.advance()
    assert [told_of(point) for point in History(folder / "history.jsonl")] == list(map(told_of, whole.points))


def told_of(point: Point) -> tuple[int, float]:
    return point.parameters, point.training_loss


def test_a_network_past_the_limits_gives_way_to_the_next_point(run: Run, data: Data) -> None:
    large, small = (next(point for point in run.points() if point.trial == trial) for trial in (0, 1))
    with pytest.raises(UserError, match="Nothing that was searched has at most 1 MACs when it is trained"):
        refit(run, [small], data, Budget(max_macs=1, min_accuracy=1), Ear(99))
    points = list(History(run.folder / "refits" / small.id / "history.jsonl"))
    smallest, ear = min(point.parameters for point in points), Ear(99)
    found = refit(run, [large, large, small], data, Budget(max_parameters=smallest), ear)
    assert found.notes["point"] == small.id and found.notes["refit"]["parameters"] == smallest
    assert [text.partition(" is past ")[0] for text in ear.heard[1:]] == [f"point {large.id}"]


def test_what_cannot_be_refitted_is_told(run: Run, data: Data) -> None:
    searched = run.front().best
    few = datasets.with_validation_trained_on(data)
    with pytest.raises(UserError, match="10 validation images for 10 classes, none of which can be spared"):
        refit(run, [searched], few, Budget(), Ear())
    folder = run.folder / "refits" / searched.id
    with loop.sole(folder), pytest.raises(UserError, match="wait for it, or leave --refit out"):
        refit(run, [searched], data, Budget(), Ear())
