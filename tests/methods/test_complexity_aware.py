"""Filters and layers by chance: what complexity is expected, what becomes of what nobody asks for."""

from __future__ import annotations

import itertools
import types
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from gnap_search import catalog
from gnap_search.contracts import Data, Progress
from gnap_search.methods.complexity_aware import LEAST, ComplexityAware, Variables
from gnap_search.structure import Shape, cost
from gnap_search.structure.edits import Cut
from gnap_search.structure.layers import Unit, convolution, depthwise
from gnap_search.structure.model import Blueprint
from gnap_search.structure.norm import Norm
from gnap_search.training.trainer import Plan, Trainer
from tests.networks import course
from tests.networks.bottleneck import NAME

SHAPE = (1, 8, 8)
SEARCHING = Progress(5, 10, 5)  # when the whole price is asked for the first time


def attached(network: str, **settings: float) -> tuple[ComplexityAware, nn.Module, Blueprint, Variables]:
    method, blueprint = ComplexityAware(**settings), Blueprint(network, SHAPE, 10)
    model = blueprint.build(blueprint.seed_widths(0.5))
    method.attach(model, blueprint)
    variables = model.variables
    assert isinstance(variables, Variables)
    return method, model, blueprint, variables


@pytest.mark.usefixtures("bottleneck")
@pytest.mark.parametrize("network", ["mlp", "plain-cnn", "resnet", "mobilenet", NAME])
def test_expected_complexity_is_the_real_one_where_all_is_certain(network: str) -> None:
    _, _, blueprint, variables = attached(network, theta_start=1.0)
    plain = blueprint.build(blueprint.seed_widths(0.5))
    found = cost.count(plain, SHAPE)
    assert variables.whole.tolist() == [found.weights, found.macs]
    assert variables.shares(0.5).tolist() == [1.0, 1.0]


class Filtered(nn.Module):
    """One block, whose first group has a depth-wise filter and whose second one has the layer."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        first, second, stream = widths["first"], widths["second"], widths["stream"]
        self.stem = Unit(convolution(shape[0], stream))
        self.inner = nn.Sequential()
        if first and second:
            expand, filters = Unit(convolution(stream, first, kernel=1)), Unit(depthwise(first))
            project = Unit(convolution(second, stream, kernel=1), activate=False, gain=True)
            self.inner = nn.Sequential(expand, filters, Unit(convolution(first, second)), project)
        self.head = nn.Linear(stream, classes)

    def forward(self, images: Tensor) -> Tensor:
        values = self.stem(images)
        logits: Tensor = self.head((values + self.inner(values) if len(self.inner) else values).mean((2, 3)))
        return logits


@pytest.fixture
def filtered(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.SimpleNamespace(
        OPTIONAL=(("first", "second"),),
        seed_widths=lambda _shape, _scale: {"stream": 4, "first": 6, "second": 3},
        build=Filtered,
    )
    known = catalog.implementation
    monkeypatch.setattr(
        catalog, "implementation", lambda kind, name: module if name == "filtered" else known(kind, name)
    )
    return "filtered"


@pytest.mark.usefixtures("bottleneck", "filtered")
@pytest.mark.parametrize("network", ["resnet", "mobilenet", NAME, "filtered"])
def test_a_layer_that_is_sure_to_go_takes_the_price_of_its_whole_block_along(network: str) -> None:
    _, _, blueprint, variables = attached(network, theta_start=1.0)
    block = blueprint.blocks[-1]
    layer = variables.chances[block[-1]].layer
    assert layer is not None
    with torch.no_grad():
        layer.theta.zero_()
        found = variables.shares(0.5) * variables.whole
    without = blueprint.build({**blueprint.seed_widths(0.5), **dict.fromkeys(block, 0)})
    left = cost.count(without, SHAPE)
    torch.testing.assert_close(found, torch.tensor([left.weights, left.macs], dtype=torch.float32))


def test_half_the_chance_of_a_groups_filters_is_half_of_what_they_link() -> None:
    _, _, _, variables = attached("mlp", theta_start=1.0)
    groups = [one.filters for one in variables.chances.values()]
    widths = [64, *(len(one.theta) for one in groups), 10]
    with torch.no_grad():
        groups[1].theta.fill_(0.5)
    links = [one * other for one, other in itertools.pairwise(widths)]
    expected = (links[0] + 0.5 * links[1] + 0.5 * links[2] + links[3]) / sum(links)
    assert float(variables.shares(0.5)[0].detach()) == pytest.approx(expected)


@pytest.mark.parametrize(("share", "expected"), [(0.5, (1.0, 1.0)), (0.0, (2.0, 0.0)), (1.0, (0.0, 2.0))])
def test_a_setting_weighs_layers_against_filters(share: float, expected: tuple[float, float]) -> None:
    def gradients(layer_share: float) -> list[Tensor]:
        _, _, _, variables = attached("resnet")
        block = variables.chances["inner1_1"]
        assert block.layer is not None
        found = [block.filters.theta, block.layer.theta]
        return list(torch.autograd.grad(variables.shares(layer_share)[0], found))

    for found, even, times in zip(gradients(share), gradients(0.5), expected, strict=True):
        torch.testing.assert_close(found, times * even)


def test_draws_decide_in_training_and_the_chances_themselves_otherwise() -> None:
    method, model, _, variables = attached("plain-cnn", theta_start=0.5)
    method.prepare(model, SEARCHING)
    one = variables.chances["conv3"].filters
    model.train()
    drawn = one.drawn(16)
    assert {*drawn.flatten().tolist()} == {0.0, 1.0}
    assert len(drawn.unique(dim=0)) > 1  # images have draws of their own,
    assert one.drawn(16) is drawn  # which all readers of the channels share,
    one.end_batch()
    assert not torch.equal(one.drawn(16), drawn)  # until the next batch
    assert one.masks().tolist() == [1.0] * len(one.theta)
    model.eval()
    assert one.masks().tolist() == [0.5] * len(one.theta)


@pytest.mark.usefixtures("bottleneck")
@pytest.mark.parametrize("network", ["mlp", "plain-cnn", "resnet", "mobilenet", NAME])
def test_images_that_are_masked_are_what_masked_weights_make_of_them(network: str) -> None:
    method, model, _, variables = attached(network)
    method.prepare(model, SEARCHING)
    images = torch.rand(4, *SHAPE)
    norms = [module for module in model.modules() if isinstance(module, Norm)]
    model.train()
    for norm in norms:
        norm.eval()  # so that no image depends on another
    together = model(images)
    draws = [one.drawn(len(images)).detach() for one in variables.every]
    model.eval()
    for number, outputs in enumerate(together):
        for one, values in zip(variables.every, draws, strict=True):
            one.theta.data = values[number]
        torch.testing.assert_close(model(images[number : number + 1])[0], outputs)


@pytest.mark.timeout(30)
def test_what_is_irrelevant_goes_to_zero_and_the_rest_to_one() -> None:
    torch.manual_seed(0)
    method = ComplexityAware(pruning_strength=0.2, theta_start=0.7)
    blueprint = Blueprint("mlp", (1, 2, 2), 2)
    model = blueprint.build({"layer1": 6, "layer2": 6, "layer3": 6})
    method.attach(model, blueprint)
    variables = model.variables
    assert isinstance(variables, Variables)
    first = model.get_parameter("units.layer1.linear.weight")
    with torch.no_grad():  # the last four filters of the first layer see nothing, and never will
        first[2:] = 0.0
    thetas = [parameter for name, parameter in model.named_parameters() if name.endswith(".theta")]
    rest = [parameter for name, parameter in model.named_parameters() if not name.endswith(".theta")]
    optimizer = torch.optim.Adam([{"params": rest, "lr": 1e-2}, {"params": thetas, "lr": 2e-2}])
    method.prepare(model, SEARCHING)
    for _ in range(400):
        images = torch.randn(64, 1, 2, 2)
        labels = (images[:, 0, 0, 0] * images[:, 0, 1, 1] > 0).long()
        loss = nn.functional.cross_entropy(model.train()(images), labels)
        penalty = method.penalty(model)
        assert penalty is not None
        (loss + penalty).backward()
        optimizer.step()
        optimizer.zero_grad()
        method.project(model, 1e-2)
        with torch.no_grad():
            first[2:] = 0.0
    theta = variables.chances["layer1"].filters.theta.detach()
    assert bool((theta[2:] <= 0.02).all())
    (cut,) = [edit for edit in method.prune(model, blueprint, []) if edit.group == "layer1"]
    assert isinstance(cut, Cut) and {*cut.keep} <= {0, 1}


def test_what_the_loss_still_asks_for_is_not_removed() -> None:
    method, model, blueprint, variables = attached("plain-cnn")
    method.prepare(model, SEARCHING)
    one = variables.chances["conv2"].filters
    with torch.no_grad():
        one.theta[:2] = LEAST
        one.asked[0] = 1.0
    assert method.prune(model, blueprint, []) == [Cut("conv2", (0, *range(2, len(one.theta))))]


def test_a_layer_that_nobody_asks_for_goes_as_a_whole() -> None:
    method, model, blueprint, variables = attached("resnet")
    method.prepare(model, SEARCHING)
    layer = variables.chances["inner2_2"].layer
    assert layer is not None
    with torch.no_grad():
        layer.theta.fill_(LEAST)
    assert method.prune(model, blueprint, []) == [Cut("inner2_2", ())]


def test_a_layer_that_is_decided_against_takes_its_weights_along(small_digits: Data) -> None:
    settings = {"theta_learning_rate": 0.0, "freeze_share": 0.0}
    plan = Plan(0, "digits", "complexity-aware", "resnet", "classification", 2, 3, None, settings)
    training = Trainer(plan, small_digits)
    training.epoch()
    unlikely = training.model.variables.chances["inner2_2"].layer
    with torch.no_grad():
        unlikely.theta.fill_(0.4)
    before = training.points[-1]
    point = training.epoch()
    assert (before.widths["inner2_2"] > 0, point.widths["inner2_2"]) == (True, 0)
    assert point.parameters < before.parameters and point.macs < before.macs
    chances = training.model.variables.chances.values()
    assert all(bool((one.filters.theta == 1).all()) for one in chances)


def test_a_block_of_two_groups_goes_as_one(few_digits: Data, bottleneck: str) -> None:
    own = {"pruning_strength": 3.0, "theta_learning_rate": 0.1, "layer_share": 0.7, "finishing_share": 0.4}
    plan = Plan(0, "digits", "complexity-aware", bottleneck, "classification", 7, 3, None, own)
    there = course.of_whole_blocks(lambda: Trainer(plan, few_digits), stops=(2, 4))
    blocks = Blueprint(bottleneck, SHAPE, 10).blocks
    gone = [sum(not widths[block[0]] for block in blocks) for widths in there]
    assert gone[0] == 0 < gone[-1] == max(gone)


def test_a_blocks_chance_counts_once_for_each_of_its_weights(bottleneck: str) -> None:
    _, _, blueprint, variables = attached(bottleneck, theta_start=1.0)
    widths, block = blueprint.seed_widths(0.5), blueprint.blocks[1]
    layer = variables.chances[block[-1]].layer
    assert layer is not None and variables.chances[block[0]].layer is None
    before = float((variables.shares(0.5)[0] * variables.whole[0]).detach())
    with torch.no_grad():
        layer.theta.fill_(0.25)
    after = float((variables.shares(0.5)[0] * variables.whole[0]).detach())
    without = cost.count(blueprint.build({**widths, **dict.fromkeys(block, 0)}), SHAPE).weights
    assert before - after == pytest.approx(0.75 * (before - without), rel=1e-4)


def test_the_price_rises_until_the_finish() -> None:
    method, model, _, _ = attached("plain-cnn", theta_start=1.0, pruning_strength=0.4)
    asked = []
    for done in (0, 2, 4, 5, 6):
        method.prepare(model, Progress(done, 10, 4))
        price = method.penalty(model)
        asked.append(None if price is None else round(float(price.detach()), 6))
    assert asked == [0.0, 0.2, 0.4, 0.4, None]


def test_a_network_that_warms_up_keeps_everything_and_then_the_whole_price_rises() -> None:
    method, model, blueprint, variables = attached("plain-cnn", warmup_share=0.5)
    model.train()
    for done in range(2):
        assert method.prepare(model, Progress(done, 10, 4)) == "warm-up"
        assert not any(one.draws for one in variables.every)
        assert method.penalty(model) is None
        assert method.prune(model, blueprint, []) == []
    asked = []
    for done in range(2, 5):
        assert method.prepare(model, Progress(done, 10, 4)) == "pruning"
        assert all(one.draws for one in variables.every)
        asked.append(float(variables.risen))
    assert asked == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("freeze_share", [0.3, 1.0])
def test_in_its_last_epoch_all_is_decided_however_short_the_finish_is(freeze_share: float) -> None:
    method, model, _, variables = attached("mlp", freeze_share=freeze_share)
    assert method.prepare(model, Progress(1, 3, 2)) == "pruning"
    assert method.prepare(model, Progress(2, 3, 2)) == "finishing"
    assert all(bool((one.theta == 1).all()) for one in variables.every)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_in_the_end_all_is_certain_and_a_higher_price_leaves_less(small_digits: Data) -> None:
    left = []
    for price in (0.01, 2.0):
        settings = {"pruning_strength": price, "theta_learning_rate": 0.05}
        plan = Plan(0, "digits", "complexity-aware", "plain-cnn", "classification", 10, 3, None, settings)
        training = Trainer(plan, small_digits)
        while not training.finished:
            training.epoch()
        thetas = [one.theta for one in training.model.variables.every]
        assert all(bool((theta == 1).all()) for theta in thetas)
        left.append(training.points[-1].parameters)
    assert left[0] > 1.5 * left[1]
