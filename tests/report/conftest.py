"""Run folders with a front in them, made without training."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import recording, replay
from benchmarks.recording import Recorded
from gnap_search import catalog, spec
from gnap_search.front import Budget
from gnap_search.report import dossier
from gnap_search.results import History, Point
from gnap_search.runs import Run
from gnap_search.status import Status
from gnap_search.structure import model
from gnap_search.structure.model import Blueprint, Classifier
from gnap_search.training.plan import Plan

MakePoint = Callable[..., Point]
MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def cloud(make_point: MakePoint) -> list[Point]:
    """Trials that shrink and learn, roughly as real ones do."""
    dice, points = random.Random(0), []
    for trial in range(12):
        final = 10 ** dice.uniform(2.5, 4.3)
        for epoch in range(1, 21):
            parameters = int(final * (1 + 4 * dice.random() * (1 - epoch / 20)) + epoch)
            error = 0.9 * 0.01 ** (epoch / 20) + 0.006 * (3000 / parameters) ** 0.7 + 0.004
            points.append(make_point(trial, epoch, parameters, round(max(0.1, 1 - error), 4)))
    return points


def study(folder: Path, points: list[Point], dataset: str = "mnist") -> Run:
    """A study's folder with these points, those of its front scored on the test images."""
    for point in points:
        trial = folder / "trials" / str(point.trial)
        trial.mkdir(parents=True, exist_ok=True)
        (trial / "plan.json").write_text(json.dumps({"settings": {"pruning_strength": 3.2e-6}}))
        History(trial / "history.jsonl").append(point)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(spec.load(dataset).to_toml())
    (folder / "launch.toml").write_text(spec.Launch().to_toml())
    found = Run(folder)
    tested = {point.id: point.validation_accuracy - 0.001 for point in found.front().points}
    found.keep_test_accuracies(tested)
    return found


@pytest.fixture
def run(tmp_path: Path, cloud: list[Point]) -> Run:
    """The folder of a study that is over."""
    return study(tmp_path / "runs" / "mnist-gnap", cloud)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Name, points and data set -> the folder of such a study."""
    return lambda name, points, dataset="mnist": study(tmp_path / "runs" / name, points, dataset)


@pytest.fixture(scope="session")
def long_study(tmp_path_factory: pytest.TempPathFactory) -> Status:
    """A search of 200 trials: trajectories of real trainings on digits, networks of the front with them.

    What was not recorded is made up: losses, and widths that follow the growth.
    """
    folder = tmp_path_factory.mktemp("runs") / "digits-long"
    facts, trainings = recording.read("digits")
    asked = spec.load(str(recording.FOLDER / "digits.toml")).model_copy(update={"trials": 200})
    points: list[Point] = []
    for trial, training in enumerate(trainings[:200]):
        place = folder / "trials" / str(trial)
        (place / "models").mkdir(parents=True)
        plan = Plan(trial, seed=trial, settings=training.settings, **asked.for_each_trial())
        (place / "plan.json").write_text(plan.to_json())
        lived = list(_epochs(trial, training, 60 if trial % 5 else 35))
        History(place / "history.jsonl").append(*lived)
        points.extend(lived)
    (folder / "study.toml").write_text(asked.to_toml())
    (folder / "launch.toml").write_text(spec.Launch().to_toml())
    (folder / "environment.json").write_text(json.dumps({**facts, "command": ["gnap-search", "pareto"]}))
    found = Run(folder)
    found.keep_test_accuracies(
        {point.id: trainings[point.trial].test[point.epoch - 1] for point in found.front().points}
    )
    for point in found.front().points:
        _keep_network(found, point)
    importances = {
        objective: {"pruning_strength": 0.6, "seed_scale": 0.3, "learning_rate": 0.1}
        for objective in ("accuracy", "parameters")
    }
    return Status(found, "finished", 160, 40, 200, {}, importances=importances)


@pytest.fixture(scope="session")
def long_dossier(long_study: Status) -> dict[str, Any]:
    """What is told of it, to somebody who wants at most 600 parameters."""
    return dossier.of([long_study], Budget(max_parameters=600))


def _epochs(trial: int, training: Recorded, epochs: int) -> Iterator[Point]:
    images, widths = 360, {f"stage{number}": 4 * number for number in range(1, 6)}
    for epoch in range(epochs):
        point = replay.point(trial, training, epoch)
        accuracy = round(images * point.validation_accuracy) / images
        yield dataclasses.replace(
            point,
            validation_accuracy=accuracy,
            validation_loss=3 * (1.01 - accuracy),
            training_loss=2.5 * (1.01 - accuracy) / (1 + epoch / 20),
            learning_rate=0.01,
            widths=widths,
            seconds=training.seconds / training.epochs,
        )
        if point.grown:
            widths = {group: math.ceil(1.4 * width) for group, width in widths.items()}
        elif epoch % 9 == 8:
            widths = {group: max(2, width - 1) for group, width in widths.items()}


def _keep_network(run: Run, point: Point) -> None:
    """A network of about the point's widths, most of its weights zero."""
    blueprint = Blueprint("plain-cnn", (1, 8, 8), 10)
    widths = catalog.implementation("networks", "plain-cnn").seed_widths((1, 8, 8), 1.0)
    classifier = Classifier(blueprint, widths, 0.5, 0.25)
    with torch.no_grad():
        for layer in classifier.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.mul_(torch.rand_like(layer.weight) < 0.3)
    model.save(classifier, run.model(point), {})
