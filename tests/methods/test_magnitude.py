"""The cubic schedule of magnitude pruning, and which weights it takes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods.magnitude import Magnitude, PruningMask
from gnap_search.structure.masks import Masked, masked
from gnap_search.structure.model import Blueprint
from gnap_search.training.trainer import Plan, Trainer

BLUEPRINT = Blueprint("mlp", (1, 2, 2), 3)


def network(method: Magnitude) -> tuple[nn.Module, list[Masked[PruningMask]]]:
    model = nn.Sequential(nn.Linear(10, 10, bias=False), nn.Linear(10, 10, bias=False))
    model[1].weight.data.mul_(0.1)
    method.attach(model, BLUEPRINT)
    return model, masked(model, PruningMask)


def kept(layers: list[Masked[PruningMask]]) -> int:
    return sum(int(layer.mask.kept.sum()) for layer in layers)


def train(data: Data, **settings: float | str) -> Trainer:
    plan = Plan(0, "digits", "magnitude", "plain-cnn", "classification", 10, 5, None, settings)
    training = Trainer(plan, data)
    while not training.finished:
        training.epoch()
    return training


def test_the_density_falls_along_the_cubic_curve() -> None:
    method = Magnitude(density=0.2, pruning_start=0.25)
    model, layers = network(method)
    expected = {0: 200, 4: 200, 5: 200, 10: 200 * (0.2 + 0.8 * 0.5**3), 15: 40, 19: 40}
    for done in range(20):
        phase = method.prepare(model, Progress(done, 20, 15))
        assert phase == ("pruning" if done < 15 else "finishing")
        if done in expected:
            assert kept(layers) == round(expected[done])


@pytest.mark.parametrize("start", [0, 0.5, 1])
@pytest.mark.parametrize("finish", [0, 1, 5, 9])
def test_the_finish_has_the_final_density_whenever_it_begins(start: float, finish: int) -> None:
    method = Magnitude(density=0.1, pruning_start=start)
    model, layers = network(method)
    left = []
    for done in range(10):
        method.prepare(model, Progress(done, 10, finish))
        left.append(kept(layers))
    assert all(earlier >= later for earlier, later in itertools.pairwise(left))
    assert set(left[finish:]) == {20}


def test_all_weights_of_a_network_compete_or_those_of_a_layer() -> None:
    at_the_end = Progress(9, 10, 5)
    method = Magnitude(density=0.5)
    model, layers = network(method)
    method.prepare(model, at_the_end)
    magnitudes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    chosen = torch.cat([layer.mask.kept.flatten() for layer in layers])
    assert magnitudes[chosen].min() > magnitudes[~chosen].max()
    assert layers[0].mask.kept.sum() > layers[1].mask.kept.sum()

    method = Magnitude(density=0.5, ranking="layer")
    model, layers = network(method)
    method.prepare(model, at_the_end)
    assert [int(layer.mask.kept.sum()) for layer in layers] == [50, 50]


def test_what_was_pruned_stays_pruned_however_large_its_stored_value() -> None:
    method = Magnitude(density=0.5)
    model, layers = network(method)
    method.prepare(model, Progress(5, 10, 5))
    pruned = [~layer.mask.kept for layer in layers]
    for layer, gone in zip(layers, pruned, strict=True):
        layer.weight.data[gone] = 100.0
    method.prepare(model, Progress(6, 10, 5))
    assert not any(bool(layer.mask.kept[gone].any()) for layer, gone in zip(layers, pruned, strict=True))


@pytest.mark.parametrize("density", [0.5, 0.1])
def test_a_trial_ends_with_the_share_of_its_first_weights_that_was_asked(
    density: float, small_digits: Data
) -> None:
    points = train(small_digits, density=density).points
    assert 0.9 * density * 5418 <= points[-1].weights <= round(density * 5418)
    assert points[0].weights == 5418


def test_what_dies_with_a_channel_counts_as_pruned(small_digits: Data) -> None:
    training = train(small_digits, density=0.02)
    (initial,) = {int(layer.mask.rivals) for layer in masked(training.model, PruningMask)}
    assert initial == training.points[0].weights
    assert sum(training.widths.values()) < sum(training.points[0].widths.values())
    assert training.points[-1].weights <= round(0.02 * initial)
