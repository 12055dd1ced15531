"""The masks of structured sparsification, its draws, its budget, and what it leaves of filters and layers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods import _cost
from gnap_search.methods._structures import Group, Scores, structures
from gnap_search.methods.structured_sparsification import Draw, StructuredSparsification
from gnap_search.structure import cost, surgery
from gnap_search.structure.edits import Cut, Grow
from gnap_search.structure.layers import Unit
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import effective, find
from gnap_search.training.trainer import Plan, Trainer
from tests.networks import course

SHAPE = (1, 8, 8)
PLAIN, RESIDUAL = Blueprint("plain-cnn", SHAPE, 10), Blueprint("mobilenet", SHAPE, 10)


def attached(method: StructuredSparsification, blueprint: Blueprint, **widths: int) -> nn.Module:
    model = blueprint.build({**blueprint.seed_widths(0.5), **widths})
    method.attach(model, blueprint)
    return model


def trainer(data: Data, network: str = "plain-cnn", epochs: int = 8, **settings: float | str) -> Trainer:
    own = {"cap": 2.0, "score_learning_rate": 0.01, "seed_scale": 0.3, **settings}
    plan = Plan(0, "digits", "structured-sparsification", network, "classification", epochs, 5, None, own)
    return Trainer(plan, data)


def test_a_weight_computes_times_the_masks_of_the_channels_that_it_reads() -> None:
    model = attached(StructuredSparsification(first_temperature=3), PLAIN)
    group = structures(model).named()["conv1"]
    group.filters.score.data.uniform_(-1, 1)
    stored = model.get_parameter("units.conv2.linear.parametrizations.weight.original")
    masks = torch.sigmoid(3 * group.filters.score)[: stored.shape[1]].view(1, -1, 1, 1)
    assert torch.equal(effective(model, "units.conv2.linear.weight"), (stored * masks).detach())
    assert "units.conv1.linear.weight" in model.state_dict()  # it reads the image


def test_before_a_norm_the_scale_of_a_filter_would_be_invisible() -> None:
    unit, images = Unit(nn.Conv2d(2, 3, 3, bias=False)), torch.randn(8, 2, 6, 6)
    before = unit(images)
    with torch.no_grad():
        unit.linear.weight.mul_(0.3)
    torch.testing.assert_close(unit(images), before, rtol=1e-3, atol=1e-3)


def test_a_layers_mask_scales_what_its_block_adds() -> None:
    model = attached(StructuredSparsification(), RESIDUAL).eval()
    block, images = model.get_submodule("blocks.block1_2"), torch.randn(4, 4, 8, 8)
    layer = structures(model).named()["inner1_2"].layer
    assert layer is not None
    added = []
    for mask in (0.2, 0.4):
        layer.score.data.fill_(float(torch.logit(torch.tensor(mask))) / float(layer.temperature))
        added.append((block(images) - images).detach())
    torch.testing.assert_close(added[1], 2 * added[0], rtol=1e-3, atol=1e-5)


def test_temperatures_rise_with_the_epochs_that_a_structure_was_there() -> None:
    method = StructuredSparsification(first_temperature=1, last_temperature=16)
    model = attached(method, PLAIN, conv1=2)
    for done in range(4):
        method.prepare(model, Progress(done, 8, 8))
    filters = structures(model).named()["conv1"].filters
    torch.testing.assert_close(filters.temperature[:3], torch.tensor([4.0, 4.0, 1.0]))


def test_a_structure_is_drawn_as_often_as_its_mask_says() -> None:
    torch.manual_seed(0)
    model = attached(StructuredSparsification(first_temperature=2), PLAIN)
    every = structures(model)
    every.sampling, every.last = True, False
    group = every.named()["conv5"]
    group.filters.score.data[:2] = torch.tensor([0.5, -0.5])
    drawn = torch.stack([Draw.of(every).filters["conv5"][:2] > 0 for _ in range(2000)]).float().mean(0)
    torch.testing.assert_close(drawn, torch.sigmoid(torch.tensor([1.0, -1.0])), rtol=0, atol=0.04)


@pytest.mark.parametrize("resource", ["parameters", "macs"])
@pytest.mark.parametrize("network", ["plain-cnn", "mobilenet"])
def test_what_widths_cost_is_what_the_network_costs(network: str, resource: str) -> None:
    blueprint = Blueprint(network, SHAPE, 10)
    widths = blueprint.seed_widths(0.7)
    widths |= dict.fromkeys([*blueprint.optional][:2], 0)
    counted = cost.count(blueprint.build(widths), SHAPE)
    expected = getattr(counted, resource)
    assert _cost.cost(blueprint, resource, tuple(widths.items())) == expected


def test_the_price_is_a_reward_below_the_budget_and_reaches_what_is_absent() -> None:
    model = attached(StructuredSparsification(), PLAIN)
    for budget, sign in ((0.9, -1), (0.001, 1)):
        method = StructuredSparsification(budget=budget, price=0.1)
        method.prepare(model, Progress(0, 8, 4))
        scores = structures(model).named()["conv3"].filters.score
        (gradient,) = torch.autograd.grad(method.penalty(model), scores)
        assert bool((gradient * sign > 0).all()) and len(gradient) > 3 * 6


def test_a_lone_filter_has_no_price_for_its_layer_needs_it() -> None:
    method = StructuredSparsification(budget=1e-4, price=10.0, cap=1.0)
    model = attached(method, PLAIN, conv1=1)
    group = structures(model).named()["conv1"]
    method.prepare(model, Progress(0, 8, 4))
    for _ in range(200):
        (gradient,) = torch.autograd.grad(method.penalty(model), group.filters.score)
        group.filters.score.data.sub_(0.01 * gradient).clamp_(-1, 1)
    masks = group.filters.masks()
    assert masks[0] > 0.99
    assert bool((masks[1:] < 0.01).all())


def test_a_layer_s_own_mask_has_a_price_beside_those_of_its_filters() -> None:
    method = StructuredSparsification(budget=1e-3, price=0.1)
    model = attached(method, RESIDUAL)
    group = structures(model).named()["inner1_2"]
    method.prepare(model, Progress(0, 8, 4))
    gradients = torch.autograd.grad(method.penalty(model), [group.filters.score, group.layer.score])
    assert all(bool((gradient > 0).all()) for gradient in gradients)


def test_what_is_cut_keeps_its_score_and_its_age_until_it_returns() -> None:
    group = Group(Scores(torch.tensor([0.5, 0.4, -0.3, -0.2])), None, 2)
    group.grow_older()
    group.place = group.place[1:]  # as a cut of the first channel does
    assert group.present.tolist() == [False, True, False, False]
    group.wanted[0] = group.wanted[3] = True
    group.place = torch.cat([group.place, torch.tensor([1, 2])])  # as growth by two channels does
    group.welcome()
    assert group.place.tolist() == [1, 0, 3]
    assert not group.wanted.any()
    assert group.filters.age.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(("network", "budget"), [("plain-cnn", 0.3), ("plain-cnn", 0.1), ("resnet", 0.3)])
def test_the_budget_is_met_within_five_percent(network: str, budget: float, small_digits: Data) -> None:
    training = trainer(small_digits, network, budget=budget)
    while not training.finished:
        training.epoch()
    full = _cost.cost(training.blueprint, "parameters", tuple(training.blueprint.seed_widths(2.0).items()))
    assert training.points[-1].parameters == pytest.approx(budget * full, rel=0.05)
    assert max(point.parameters for point in training.points) < 1.1 * budget * full
    assert any(point.grown for point in training.points)


def test_at_last_a_block_that_is_past_the_budget_as_a_whole_is_left_out() -> None:
    method, blueprint = StructuredSparsification(budget=0.1, cap=2.0), Blueprint("resnet", SHAPE, 10)
    every = structures(attached(method, blueprint))
    every.sampling = every.last = True
    target, before, after = method._target(blueprint), [], []
    for seed in (13, 14, 27, 28):  # with these it is missed by a sixth and by more
        torch.manual_seed(seed)
        for scores in every.scores():
            scores.score.data.uniform_(-1, 1)
        draw = Draw.of(every)
        fitting = method._in_budget(blueprint, draw)
        for misses, one in ((before, draw), (after, fitting)):
            widths = one.widths(method._fitting(blueprint, one, 1.0))
            misses.append(abs(method._cost(blueprint, widths) / target - 1))
    assert min(before) > 0.1 and max(after) < 0.05


def test_what_is_absent_in_the_finish_counts_nothing() -> None:
    absent = torch.full((3,), -math.inf)
    assert Draw({"inner": absent}, {"inner": 0.5}).widths(0.0) == {"inner": 0}


def test_what_is_closed_is_cut_first_and_in_the_finish_nothing_returns(small_digits: Data) -> None:
    training = trainer(small_digits, budget=0.3)
    while training.epochs_done < 5:
        training.epoch()
    group = structures(training.model).named()["conv4"]
    gone = int(group.place[0])
    group.filters.score.data[gone] = -1
    before = training.widths["conv4"]
    training.method = StructuredSparsification(cap=2.0, budget=0.25)
    training.epoch()
    assert training.widths["conv4"] < before
    assert gone not in structures(training.model).named()["conv4"].place.tolist()
    while not training.finished:
        training.epoch()
    assert not any(point.grown for point in training.points[3:])


@pytest.mark.parametrize("group", ["conv5", "inner2_2"])
def test_deleting_a_unit_whose_mask_is_closed_leaves_the_logits(group: str) -> None:
    blueprint = PLAIN if group == "conv5" else RESIDUAL
    method = StructuredSparsification()
    model, images = attached(method, blueprint).eval(), torch.rand(8, *SHAPE)
    scores = structures(model).named()[group].filters
    scores.temperature.fill_(1e4)
    scores.score.data[0] = -1
    widths = blueprint.seed_widths(0.5)
    dead = Cut(group, tuple(range(1, widths[group])))
    operation = surgery.Operation(widths, [dead])

    def build(asked: dict[str, int]) -> nn.Module:
        made = blueprint.build(asked)
        method.attach(made, blueprint)
        return made

    smaller = build(operation.widths).eval()
    operation.transfer(find(build, widths), model.state_dict(), smaller.state_dict())
    torch.testing.assert_close(smaller(images), model(images), rtol=1e-4, atol=1e-5)


def test_layers_open_and_vanish(small_digits: Data) -> None:
    training = trainer(small_digits, "resnet", 6, cap=1.0, seed_depth=0.3, budget=1.0, absent_score=0.4)
    optional = training.blueprint.optional
    assert sum(training.widths[group] > 0 for group in optional) == 2
    training.epoch()
    assert sum(training.widths[group] > 0 for group in optional) > 3
    structures(training.model).named()["inner1_1"].layer.score.data.fill_(-1)
    while not training.finished:
        training.epoch()
    assert training.widths["inner1_1"] == 0


def test_a_block_of_two_groups_comes_and_goes_as_one(few_digits: Data, bottleneck: str) -> None:
    own = {"cap": 1.0, "budget": 0.4, "seed_depth": 0.5, "absent_score": 0.0, "score_learning_rate": 0.05}
    there = course.of_whole_blocks(lambda: trainer(few_digits, bottleneck, **own), stops=(3, 6))
    blocks = Blueprint(bottleneck, SHAPE, 10).blocks
    open_blocks = [sum(widths[block[0]] > 0 for block in blocks) for widths in there]
    steps = [later - one for one, later in itertools.pairwise(open_blocks)]
    assert min(steps) < 0 < max(steps)


def test_a_block_that_died_after_it_was_drawn_wider_does_not_open_by_half(bottleneck: str) -> None:
    method, blueprint = StructuredSparsification(), Blueprint(bottleneck, SHAPE, 10)
    (first, last), *_ = blueprint.blocks
    model = attached(method, blueprint, **{first: 0, last: 0})
    groups = structures(model).named()
    groups[last].wanted[0] = groups["stage2"].wanted[-1] = True
    assert method.grow(model, blueprint, []) == [Grow("stage2", 1, method.birth_scale)]
    assert not groups[last].wanted.any()
