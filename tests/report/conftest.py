"""A run folder with a front in it, made without training."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gnap_search import spec
from gnap_search.results import History, Point
from gnap_search.runs import Run

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
