"""The training loop: what it counts, what chance it gives to methods, and what is left when one settles."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods.gnap import GNAP
from gnap_search.results import Point
from gnap_search.structure.edits import Cut, Edit, Settle
from gnap_search.structure.model import Blueprint
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import PASSES, Trainer, seed_widths

EPOCHS = 4


@dataclasses.dataclass(frozen=True)
class Settling(GNAP):
    """GNAP until after its second epoch; then a channel goes, and what is left is plain."""

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        del model, blueprint
        return (
            [Settle(), Cut("conv5", tuple(range(1, history[-1].widths["conv5"])))]
            if len(history) == 1
            else []
        )

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        return "finishing" if progress.done >= 2 else super().prepare(model, progress)

    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        assert rate > 0
        super().project(model, rate)


def trainer(data: Data, kind: type[GNAP] = GNAP, **settings: float | str) -> Trainer:
    own = {"pruning_strength": 1e-4, "seed_scale": 0.5, **settings}
    training = Trainer(Plan(0, "digits", "gnap", "plain-cnn", "classification", EPOCHS, 3, None, own), data)
    training.method = kind(pruning_strength=1e-4)
    return training


def figures(points: list[Point]) -> list[Point]:
    return [dataclasses.replace(point, seconds=0.0) for point in points]


def test_what_has_settled_is_plain_and_computes_what_it_did(small_digits: Data) -> None:
    training, images = trainer(small_digits, Settling), torch.rand(8, *small_digits.shape)
    training.epoch()
    before = dict(training.widths)
    point = training.epoch()
    assert training.settled and point.widths["conv5"] == before["conv5"] - 1
    assert not any("parametrizations" in name for name in training.model.state_dict())
    live = training.model.eval()((images - training.mean) / training.deviation)
    torch.testing.assert_close(training.classifier(images), live, rtol=1e-5, atol=1e-5)


def test_a_settled_training_goes_on_from_its_checkpoint(small_digits: Data) -> None:
    whole = trainer(small_digits, Settling)
    for _ in range(3):
        whole.epoch()
    state = copy.deepcopy(whole.state())
    whole.epoch()
    second = trainer(small_digits, Settling)
    second.restore(*state)
    second.epoch()
    assert second.settled and figures(second.points) == figures(whole.points)


@pytest.mark.parametrize(("network", "blocks"), [("resnet20", 9), ("resnet110-bottleneck", 36)])
@pytest.mark.parametrize("depth", [1.0, 0.75, 0.5, 0.25, 0.0])
def test_a_share_of_the_blocks_is_there_at_the_start(network: str, blocks: int, depth: float) -> None:
    blueprint = Blueprint(network, (1, 8, 8), 10)
    widths = seed_widths(blueprint, 0.1, depth)
    built = blueprint.build(widths).get_submodule("blocks")
    there = [block for block in built.children() if block.residual is not None]
    assert len(list(built.children())) == blocks
    assert len(there) == math.ceil(depth * blocks)
    assert all(len({widths[group] > 0 for group in block}) == 1 for block in blueprint.blocks)


def test_training_costs_three_passes_an_image_at_the_widths_of_the_time(small_digits: Data) -> None:
    training, spent = trainer(small_digits, growth_trigger="never"), 0
    for _ in range(EPOCHS):
        before = dict(training.widths)
        point = training.epoch()
        if point.widths == before:
            assert point.training_macs - spent == PASSES * point.macs * len(small_digits.train)
        else:
            assert point.training_macs - spent > PASSES * point.macs * len(small_digits.train)
        spent = point.training_macs


@pytest.mark.parametrize("disturbed", [0, 3])
def test_what_methods_draw_follows_from_seed_and_epoch(small_digits: Data, disturbed: int) -> None:
    drawn: list[Tensor] = []

    class Drawing(GNAP):
        def project(self, model: nn.Module, rate: float | Tensor) -> None:
            drawn.append(torch.rand(2))
            super().project(model, rate)

    training = trainer(small_digits, Drawing)
    torch.rand(disturbed)
    outside = torch.random.get_rng_state()
    training.epoch()
    assert torch.equal(torch.random.get_rng_state(), outside)
    first = len(drawn)
    training.epoch()
    again = trainer(small_digits, Drawing)
    again.epoch()
    assert not torch.equal(drawn[0], drawn[first])
    assert torch.equal(drawn[0], drawn[2 * first])


def test_it_learns_by_sgd_too(small_digits: Data) -> None:
    training = trainer(small_digits, optimizer="sgd", learning_rate=0.1)
    losses = [training.epoch().training_loss for _ in range(EPOCHS)]
    assert losses[-1] < losses[0] - 0.2


def test_smoothed_labels_count_in_training_alone(small_digits: Data) -> None:
    sharp, smooth = trainer(small_digits), trainer(small_digits, label_smoothing=0.5)
    assert smooth.epoch().training_loss != sharp.epoch().training_loss
    batch, labels = torch.rand(6, *small_digits.shape), torch.arange(6)
    chances = smooth.model(batch.sub(smooth.mean).div(smooth.deviation)).log_softmax(1)
    expected = -0.5 * (chances[range(6), labels].mean() + chances.mean())
    assert smooth._step(batch, labels) == pytest.approx(expected.item(), rel=1e-4)
    validation = small_digits.validation
    outputs = smooth.classifier(torch.from_numpy(validation.images).float() / 255)
    known = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(validation.labels))
    assert smooth.points[-1].validation_loss == pytest.approx(known.item(), rel=1e-4)
