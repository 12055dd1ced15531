"""The algebra of GNAP's gates, and when it grows."""

from __future__ import annotations

import copy
import dataclasses
import itertools

import pytest
import torch
from torch import nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods.gnap import GNAP, Gate
from gnap_search.results import Point
from gnap_search.structure.model import Blueprint
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

BLUEPRINT = Blueprint("plain-cnn", (1, 8, 8), 10)


def train(data: Data, epochs: int = 8, **settings: float | str) -> Trainer:
    plan = Plan(0, "digits", "gnap", "plain-cnn", "classification", epochs, 5, None, settings)
    training = Trainer(plan, data)
    while not training.finished:
        training.epoch()
    return training


def point(epoch: int, loss: float, *, weights: int = 0, grown: bool = False) -> Point:
    return Point(0, epoch, 100, weights, 1, 1, 0.9, 0.1, loss, 0.1, "growing", {"a": 10, "b": 3}, 1.0, grown)


def test_a_weight_counts_exactly_where_its_score_is_above_zero() -> None:
    weight = torch.randn(50)
    gate = Gate(weight, 0.1)
    gate.score.data = torch.linspace(-1, 1, 50)
    assert torch.equal(gate(weight), weight * (gate.score > 0))


def test_the_gradient_passes_the_step_and_the_closed_gate_stops_the_weight() -> None:
    weight = torch.randn(6, requires_grad=True)
    gate = Gate(weight, 0.1)
    gate.score.data = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.5, -0.5])
    arriving = torch.randn(6)
    (gate(weight) * arriving).sum().backward()
    assert weight.grad is not None
    assert gate.score.grad is not None
    torch.testing.assert_close(weight.grad, arriving * (gate.score > 0))
    torch.testing.assert_close(gate.score.grad, arriving * weight.detach())


def test_the_price_counts_open_gates_and_pushes_every_score_alike() -> None:
    method = GNAP(pruning_strength=0.25)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    method.attach(model, BLUEPRINT)
    gates = [module for module in model.modules() if isinstance(module, Gate)]
    gates[0].score.data[0] = -0.5
    price = method.penalty(model)
    assert price is not None
    assert float(price.detach()) == 0.25 * (3 * 4 + 4 * 2 - 3)
    price.backward()
    assert all(bool((gate.score.grad == 0.25).all()) for gate in gates)


def test_scores_stay_where_a_closed_gate_can_reopen() -> None:
    method = GNAP()
    model = nn.Sequential(nn.Linear(3, 4))
    method.attach(model, BLUEPRINT)
    (gate,) = (module for module in model.modules() if isinstance(module, Gate))
    gate.score.data = torch.linspace(-5, 5, 12).view(4, 3)
    method.project(model, 0.1)
    assert float(gate.score.detach().min()) == -1
    assert float(gate.score.detach().max()) == 1


def test_a_closed_gate_reopens_when_its_gradient_asks_for_it() -> None:
    linear = nn.Sequential(nn.Linear(1, 1, bias=False))
    GNAP(gate_start=0.1).attach(linear, BLUEPRINT)
    (gate,) = (module for module in linear.modules() if isinstance(module, Gate))
    linear[0].parametrizations.weight.original.data.fill_(1.0)
    gate.score.data.fill_(-0.05)
    optimizer = torch.optim.Adam([gate.score], lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (linear(torch.ones(1, 1)) - 1).square().sum().backward()
        optimizer.step()
    assert float(linear(torch.ones(1, 1)).detach()) == 1


def test_with_gates_frozen_open_training_is_that_of_the_dense_network(small_digits: Data) -> None:
    frozen = train(small_digits, pruning_strength=0.9, gate_learning_rate=0, growth_trigger="never")
    free = train(small_digits, pruning_strength=0, gate_learning_rate=0, growth_trigger="never")
    assert [p.training_loss for p in frozen.points] == [p.training_loss for p in free.points]
    assert frozen.points[-1].weights == frozen.points[0].weights


def test_more_pressure_leaves_fewer_parameters(small_digits: Data) -> None:
    strengths = (1e-4, 3e-3, 1e-1)
    sizes = [
        train(small_digits, pruning_strength=strength, gate_learning_rate=5e-3).points[-1].parameters
        for strength in strengths
    ]
    assert all(larger > smaller for larger, smaller in itertools.pairwise(sizes))


def test_a_price_that_nothing_is_worth_closes_every_gate(small_digits: Data) -> None:
    training = train(small_digits, pruning_strength=1, gate_learning_rate=0.1, growth_trigger="never")
    assert training.points[-1].weights == 0
    assert set(training.widths.values()) == {1}


def test_gates_are_frozen_late_in_the_finish(small_digits: Data) -> None:
    training = train(small_digits, epochs=8, pruning_strength=1e-2, gate_learning_rate=1e-2)
    phases = [p.phase for p in training.points]
    assert phases == ["growing"] * 4 + ["pruning"] * 2 + ["finishing"] * 2
    assert training.points[-1].weights == training.points[-2].weights == training.points[-3].weights


def test_it_grows_when_the_objective_has_stalled_for_its_patience() -> None:
    method = GNAP(saturation_patience=2, growth_factor=1.4)
    model = BLUEPRINT.build({f"conv{n}": 2 for n in range(1, 6)})
    falling = [point(epoch, 1 / epoch) for epoch in range(1, 9)]
    assert method.grow(model, BLUEPRINT, falling) == []
    stalled = [*falling, point(9, 0.125), point(10, 0.1249)]
    assert {edit.group: edit.count for edit in method.grow(model, BLUEPRINT, stalled)} == {"a": 4, "b": 2}


def test_a_growth_opens_a_whole_block_and_a_checkpoint_goes_on(small_digits: Data, bottleneck: str) -> None:
    own = {"growth_trigger": "periodic", "growth_period": 1, "depth_growth": "always", "seed_depth": 0.5}
    plan = Plan(0, "digits", "gnap", bottleneck, "classification", 5, 5, None, own)
    whole = Trainer(plan, small_digits)
    there = [_blocks(whole)]
    whole.epoch()
    state = copy.deepcopy(whole.state())
    there.append(_blocks(whole))
    while not whole.finished:
        whole.epoch()
        there.append(_blocks(whole))
    assert there[:3] == [2, 3, 4]
    second = Trainer(plan, small_digits)
    second.restore(*state)
    while not second.finished:
        second.epoch()
    assert [dataclasses.replace(one, seconds=0.0) for one in second.points] == [
        dataclasses.replace(one, seconds=0.0) for one in whole.points
    ]


def test_where_nothing_can_widen_a_growth_opens_a_block(small_digits: Data, bottleneck: str) -> None:
    own = {"growth_trigger": "periodic", "growth_period": 1, "growth_factor": 1, "depth_growth": "stalled"}
    plan = Plan(0, "digits", "gnap", bottleneck, "classification", 4, 5, None, {**own, "seed_depth": 0.5})
    training = Trainer(plan, small_digits)
    training.epoch()
    assert _blocks(training) == 3


def _blocks(training: Trainer) -> int:
    """How many blocks the network has that may be left out."""
    blocks = training.model.get_submodule("blocks").children()
    return sum(block.residual is not None for block in blocks)


def test_a_falling_price_is_progress_too() -> None:
    method = GNAP(saturation_patience=2, pruning_strength=1e-3)
    model = BLUEPRINT.build({f"conv{n}": 2 for n in range(1, 6)})
    pruning = [point(epoch, 0.1, weights=1000 - 100 * epoch) for epoch in range(1, 9)]
    assert method.grow(model, BLUEPRINT, pruning) == []


def test_patience_starts_anew_after_growth_and_growth_has_a_limit() -> None:
    method = GNAP(saturation_patience=2, growth_limit=1)
    model = BLUEPRINT.build({f"conv{n}": 2 for n in range(1, 6)})
    flat = [point(epoch, 0.1) for epoch in range(1, 5)]
    assert method.grow(model, BLUEPRINT, flat)
    grown = [*flat[:-1], dataclasses.replace(flat[-1], grown=True)]
    more = dataclasses.replace(method, growth_limit=2)
    assert more.grow(model, BLUEPRINT, [*grown, point(5, 0.1), point(6, 0.1)]) == []
    longer = [*grown, *(point(epoch, 0.1) for epoch in range(5, 8))]
    assert more.grow(model, BLUEPRINT, longer)
    assert method.grow(model, BLUEPRINT, longer) == []


@pytest.mark.parametrize(("done", "learns"), [(0, True), (5, True), (7, True), (8, False), (9, False)])
def test_preparing_freezes_by_progress_alone(done: int, learns: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 4))
    method = GNAP(freeze_share=0.5)
    method.attach(model, BLUEPRINT)
    method.prepare(model, Progress(done, 10, 6))
    assert all(module.score.requires_grad == learns for module in model.modules() if isinstance(module, Gate))
