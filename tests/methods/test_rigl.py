"""RigL: what one update drops and grows, how the fraction falls, and where the dense gradient comes from."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods.rigl import GrowingMask, RigL, renew
from gnap_search.structure.masks import masked
from gnap_search.structure.model import Blueprint
from gnap_search.training.trainer import Plan, Trainer

BLUEPRINT = Blueprint("mlp", (1, 2, 2), 3)


def layer(kept: list[int], weight: list[float], gradient: list[float]) -> tuple[Tensor, GrowingMask]:
    mask = GrowingMask(torch.tensor(kept, dtype=torch.bool))
    mask.gradient.copy_(torch.tensor(gradient))
    return torch.tensor(weight), mask


def test_the_smallest_weight_goes_and_the_largest_gradient_comes_in_at_zero() -> None:
    weight, mask = layer([1, 1, 1, 0, 0], [3.0, -0.1, -2.0, 9.0, 9.0], [5.0, 0.0, 0.0, 1.0, -2.0])
    renew(weight, mask, 0.4)
    assert mask.kept.tolist() == [True, False, True, False, True]
    assert mask(weight).tolist() == [3.0, 0.0, -2.0, 0.0, 0.0]
    assert weight[4] == 0


def test_what_was_just_dropped_may_return_as_it_was() -> None:
    weight, mask = layer([1, 1, 0], [3.0, 0.1, 9.0], [0.0, 5.0, 1.0])
    renew(weight, mask, 0.5)
    assert mask.kept.tolist() == [True, True, False]
    assert mask(weight).tolist() == pytest.approx([3.0, 0.1, 0.0])


def test_a_full_layer_stays_full() -> None:
    weight, mask = layer([1, 1, 1], [3.0, 0.1, 9.0], [0.0, 5.0, 1.0])
    renew(weight, mask, 0.7)
    assert mask.kept.all()
    assert weight.tolist() == pytest.approx([3.0, 0.1, 9.0])


def test_the_backward_pass_leaves_the_dense_gradient_and_trains_what_is_kept() -> None:
    weight = torch.randn(6, requires_grad=True)
    mask = GrowingMask(torch.tensor([1, 0, 1, 0, 1, 0], dtype=torch.bool))
    buffer, arriving = mask.gradient, torch.randn(6)
    (mask(weight) * arriving).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, arriving * mask.kept)
    assert mask.gradient is buffer  # written in place, as a recorded step needs it
    torch.testing.assert_close(buffer, arriving)


def test_updates_move_fewer_weights_each_time_and_then_none() -> None:
    method = RigL(density=0.3, drop_fraction=0.4, update_share=0.75)
    model = nn.Sequential(nn.Linear(40, 50, bias=False))
    method.attach(model, BLUEPRINT)
    ((_, mask),) = masked(model, GrowingMask)
    moved = []
    for done in range(20):
        before = mask.kept.clone()
        model[0].parametrizations.weight.original.data.normal_()
        mask.gradient.normal_()
        phase = method.prepare(model, Progress(done, 20, 10))
        assert phase == ("pruning" if done < 15 else "finishing")
        assert mask.kept.sum() == before.sum() == 600
        moved.append(int((before & ~mask.kept).sum()))
    assert moved[0] == 0 and moved[1] > 0
    assert set(moved[15:]) == {0}
    dropped = [0.2 * (1 + math.cos(math.pi * done / 15)) for done in range(1, 15)]
    assert all(count <= 600 * share for count, share in zip(moved[1:15], dropped, strict=True))


def test_density_stays_while_the_mask_moves(small_digits: Data) -> None:
    plan = Plan(0, "digits", "rigl", "plain-cnn", "classification", 8, 5, None, {"density": 0.4})
    training = Trainer(plan, small_digits)
    drawn = [one.mask.kept.clone() for one in masked(training.model, GrowingMask)]
    while not training.finished:
        training.epoch()
    assert {point.widths["conv2"] for point in training.points} == {12}
    assert all(later.weights <= earlier.weights for earlier, later in itertools.pairwise(training.points))
    assert abs(training.points[-1].weights - 0.4 * 5418) <= len(drawn)
    moved = [
        not torch.equal(one.mask.kept, kept)
        for one, kept in zip(masked(training.model, GrowingMask), drawn, strict=True)
    ]
    assert any(moved)
