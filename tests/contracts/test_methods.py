"""The laws that every method in the folder obeys, on every kind of network that it may meet."""

from __future__ import annotations

import copy
import dataclasses
import functools
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gnap_search import catalog, settings
from gnap_search.contracts import Data
from gnap_search.results import Point
from gnap_search.structure import model as models
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer
from tests.networks import bottleneck, kinds

EPOCHS = 6
NETWORKS = [one for one in kinds.distinct() if kinds.scale(one) == kinds.HALF]  # no wide ones

pytestmark = pytest.mark.usefixtures("bottleneck")


@pytest.fixture(params=catalog.names("methods"))
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[*NETWORKS, bottleneck.NAME])
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What an epoch of a training was found to be.

    Attributes:
        before, after: channels of every group before it, and after the growth at its end.
        logits: of the live network and of the plain one; none where it has grown after they were one.
        moments: shapes of the optimiser's values beside the shapes of their parameters.
        state: what a checkpoint would hold.
    """

    point: Point
    before: Mapping[str, int]
    after: Mapping[str, int]
    logits: tuple[Tensor, Tensor] | None
    moments: list[tuple[torch.Size, torch.Size]]
    state: tuple[dict[str, Tensor], dict[str, Any]]


Watch = Callable[[str, str], list[Epoch]]


@pytest.fixture(scope="module")
def watch(few_digits: Data) -> Watch:
    """Method and network -> every epoch of a training that was looked at in all ways, trained once."""

    @functools.cache
    def watched(method: str, network: str) -> list[Epoch]:
        training = trainer(method, network, few_digits)
        images = torch.rand(64, *few_digits.shape)
        return [look(training, images) for _ in range(EPOCHS)]

    return watched


def look(training: Trainer, images: Tensor) -> Epoch:
    """Train an epoch and take down what came of it."""
    before = dict(training.widths)
    point = training.epoch()
    return Epoch(
        point,
        before,
        dict(training.widths),
        None if point.grown else logits(training, images),
        [
            (value.shape, parameter.shape)
            for parameter, state in training.optimizer.state.items()
            for value in state.values()
        ],
        copy.deepcopy(training.state()),
    )


def logits(training: Trainer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Of the live network and of the plain one, without gradients."""
    with torch.no_grad():
        live = training.model.eval()((images - training.mean) / training.deviation)
        return live, training.classifier(images)


def trainer(method: str, network: str, data: Data, **own: float) -> Trainer:
    scaled = {"seed_scale": kinds.scale(network), **own}
    return Trainer(Plan(3, "digits", method, network, "classification", EPOCHS, 11, None, scaled), data)


def timeless(points: list[Point]) -> list[Point]:
    return [dataclasses.replace(point, seconds=0.0) for point in points]


def history(epochs: list[Epoch]) -> list[Point]:
    return timeless([epoch.point for epoch in epochs])


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


def test_attaching_keeps_the_output(method: str, network: str, few_digits: Data) -> None:
    live, plain = logits(trainer(method, network, few_digits), torch.rand(16, *few_digits.shape))
    assert live.shape == (16, 10)
    torch.testing.assert_close(plain, live, rtol=1e-5, atol=1e-5)


def test_the_same_seed_gives_the_same_history_watched_or_not(
    method: str, network: str, few_digits: Data, watch: Watch
) -> None:
    assert finish(trainer(method, network, few_digits)) == history(watch(method, network))


@pytest.mark.parametrize("stop", range(1, EPOCHS))
def test_going_on_from_any_epoch_equals_never_having_stopped(
    method: str, stop: int, few_digits: Data, watch: Watch
) -> None:
    whole = watch(method, "plain-cnn")
    second = trainer(method, "plain-cnn", few_digits)
    second.restore(*copy.deepcopy(whole[stop - 1].state))
    assert finish(second) == history(whole)


def test_the_plain_network_computes_what_the_live_one_does(method: str, network: str, watch: Watch) -> None:
    for epoch in watch(method, network):
        if epoch.logits:
            live, plain = epoch.logits
            torch.testing.assert_close(plain, live, rtol=1e-5, atol=1e-5)


def test_moments_have_the_shape_of_their_weights(method: str, network: str, watch: Watch) -> None:
    for epoch in watch(method, network):
        assert all(moment in ((), weight) for moment, weight in epoch.moments)


def test_an_epoch_never_widens_and_growth_never_narrows(method: str, network: str, watch: Watch) -> None:
    for epoch in watch(method, network):
        point, before, after = epoch.point, epoch.before, epoch.after
        assert all(point.widths[group] <= before[group] for group in before)
        assert all(after[group] >= point.widths[group] for group in before)
        assert point.grown == (after != point.widths)


def test_in_the_finish_of_a_fixed_network_no_weight_becomes_zero_or_alive(
    method: str, few_digits: Data
) -> None:
    plan = dataclasses.replace(trainer(method, "plain-cnn", few_digits).plan, epochs=2 * EPOCHS)
    training = Trainer(plan, few_digits)
    alive: list[dict[str, Tensor]] = []
    while not training.finished:
        if training.epoch().phase == "finishing":
            network = training.classifier.network.state_dict()
            alive.append({path: values != 0 for path, values in network.items() if values.ndim > 1})
    assert len(alive) > 1
    for later in alive[1:]:
        torch.testing.assert_close(later, alive[0])


def test_plain_networks_load_where_methods_cannot_be_imported(few_digits: Data, tmp_path: Path) -> None:
    for method in catalog.names("methods"):
        training = trainer(method, "plain-cnn", few_digits)
        training.epoch()
        models.save(training.classifier, tmp_path / f"{method}.safetensors", {})
    program = (
        "import sys; sys.modules['gnap_search.methods'] = None; sys.modules['ray'] = None\n"
        "sys.modules['optuna'] = None; sys.modules['pydantic'] = None\n"
        "from pathlib import Path; from gnap_search.structure import model; import torch\n"
        f"for path in Path({str(tmp_path)!r}).iterdir():\n"
        "    loaded, _ = model.load(path)\n"
        "    assert loaded(torch.rand(2, 1, 8, 8)).shape == (2, 10), path"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
