"""The laws that every method in the folder obeys, on every network that it may meet."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gnap_search import catalog, settings
from gnap_search.contracts import Data
from gnap_search.results import Point
from gnap_search.structure import model as models
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

EPOCHS = 6


@pytest.fixture(params=catalog.names("methods"))
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=catalog.names("networks"))
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trainer(method: str, network: str, data: Data, **own: float) -> Trainer:
    scaled = {"seed_scale": 0.5, **own}
    return Trainer(Plan(3, "digits", method, network, "classification", EPOCHS, 11, None, scaled), data)


def timeless(points: list[Point]) -> list[Point]:
    return [dataclasses.replace(point, seconds=0.0) for point in points]


def finish(training: Trainer) -> list[Point]:
    while not training.finished:
        training.epoch()
    return timeless(training.points)


def test_its_settings_can_be_read_without_importing_it(method: str) -> None:
    read = settings.read(catalog.source("methods", method))
    known = settings.known(catalog.implementation("methods", method).METHOD)
    assert list(read) == list(known)
    for name, field in known.items():
        assert (read[name].default, read[name].metadata) == (field.default, field.metadata)


def test_attaching_keeps_the_output(method: str, network: str, small_digits: Data) -> None:
    training = trainer(method, network, small_digits)
    images = torch.rand(16, *small_digits.shape)
    logits = training.model.eval()((images - training.mean) / training.deviation)
    assert logits.shape == (16, 10)
    torch.testing.assert_close(training.classifier(images), logits, rtol=1e-5, atol=1e-5)


def test_the_same_seed_gives_the_same_history(method: str, network: str, small_digits: Data) -> None:
    runs = [finish(trainer(method, network, small_digits)) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("stop", range(1, EPOCHS))
def test_going_on_from_any_epoch_equals_never_having_stopped(
    method: str, stop: int, small_digits: Data
) -> None:
    whole = finish(trainer(method, "plain-cnn", small_digits))
    first = trainer(method, "plain-cnn", small_digits)
    for _ in range(stop):
        first.epoch()
    second = trainer(method, "plain-cnn", small_digits)
    second.restore(*first.state())
    assert finish(second) == whole


def test_the_plain_network_computes_what_the_live_one_does(
    method: str, network: str, small_digits: Data
) -> None:
    training = trainer(method, network, small_digits)
    images = torch.rand(64, *small_digits.shape)
    for _ in range(EPOCHS):
        if not training.epoch().grown:
            logits = training.model.eval()((images - training.mean) / training.deviation)
            torch.testing.assert_close(training.classifier(images), logits, rtol=1e-5, atol=1e-5)


def test_moments_have_the_shape_of_their_weights(method: str, network: str, small_digits: Data) -> None:
    training = trainer(method, network, small_digits)
    for _ in range(EPOCHS):
        training.epoch()
        for parameter, state in training.optimizer.state.items():
            assert all(value.shape in ((), parameter.shape) for value in state.values())


def test_an_epoch_never_widens_and_growth_never_narrows(
    method: str, network: str, small_digits: Data
) -> None:
    training = trainer(method, network, small_digits)
    for _ in range(EPOCHS):
        before = dict(training.widths)
        point = training.epoch()
        assert all(point.widths[group] <= before[group] for group in before)
        assert all(training.widths[group] >= point.widths[group] for group in before)
        assert point.grown == (training.widths != point.widths)


def test_the_plain_network_loads_where_methods_cannot_be_imported(
    method: str, small_digits: Data, tmp_path: Path
) -> None:
    training = trainer(method, "plain-cnn", small_digits)
    training.epoch()
    models.save(training.classifier, tmp_path / "model.safetensors", {})
    program = (
        "import sys; sys.modules['gnap_search.methods'] = None; sys.modules['ray'] = None\n"
        "sys.modules['optuna'] = None; sys.modules['pydantic'] = None\n"
        "from pathlib import Path; from gnap_search.structure import model\n"
        f"loaded, _ = model.load(Path({str(tmp_path / 'model.safetensors')!r}))\n"
        "import torch; assert loaded(torch.rand(2, 1, 8, 8)).shape == (2, 10)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
