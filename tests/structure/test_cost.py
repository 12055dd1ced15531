"""The counting rule: each number against a count by hand or by an independent counter."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gnap_search.networks import plain_cnn
from gnap_search.structure.cost import Meter, count, positions
from gnap_search.structure.layers import Unit, convolution
from gnap_search.structure.model import Blueprint, Classifier

SHAPE = (1, 28, 28)
WIDTHS = {"conv1": 3, "conv2": 4, "conv3": 5, "conv4": 6, "conv5": 7}


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return plain_cnn.build(WIDTHS, SHAPE, 10)


def test_a_network_counted_by_hand() -> None:
    unit = Unit(convolution(1, 2), pool=2, gain=False)
    network = nn.Sequential(unit, nn.Flatten(), nn.Linear(2 * 2 * 2, 3))
    with torch.no_grad():
        unit.linear.weight[0, 0, 0] = 0.0  # three zeros among 18 weights
    cost = count(network, (1, 4, 4))
    assert cost.weights == 15 + 24
    assert cost.parameters == 15 + 2 + 24 + 3
    assert cost.macs == 18 * 16 + 24
    assert cost.live_macs == 15 * 16 + 24
    assert cost.total == 18 + 2 + 24 + 3


def test_dense_macs_agree_with_torchs_own_counter(network: nn.Module) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *SHAPE))
    assert 2 * count(network, SHAPE).macs == counter.get_total_flops()


def test_zeroing_weights_lowers_live_counts_alone(network: nn.Module) -> None:
    before = count(network, SHAPE)
    layer = network.get_submodule("units.conv3.linear")
    with torch.no_grad():
        layer.weight.view(-1)[::2] = 0.0
    zeroed = (layer.weight.numel() + 1) // 2
    after = count(network, SHAPE)
    assert (before.weights - after.weights, before.parameters - after.parameters) == (zeroed, zeroed)
    assert before.live_macs - after.live_macs == zeroed * 14 * 14
    assert (before.macs, before.total) == (after.macs, after.total)


def test_zero_biases_count_with_their_channels(network: nn.Module) -> None:
    cost = count(network, SHAPE)
    assert cost.parameters - cost.weights == sum(WIDTHS.values()) + 10


def test_folding_does_not_change_the_cost() -> None:
    classifier = Classifier(Blueprint("plain-cnn", SHAPE, 10), WIDTHS, 0.1, 0.3)
    assert count(classifier, SHAPE) == count(classifier.fold(), SHAPE)


def test_folding_takes_a_gain_and_a_bias_from_each_channel_that_has_them() -> None:
    blueprint = Blueprint("vgg16", SHAPE, 10)
    widths = blueprint.seed_widths(1 / 64)
    classifier = Classifier(blueprint, widths, 0.1, 0.3)
    before, after = count(classifier, SHAPE), count(classifier.fold(), SHAPE)
    fewer = 2 * sum(widths.values())  # of weight, bias, gain and shift, a weight and a bias are left
    assert (before.parameters - after.parameters, before.total - after.total) == (fewer, fewer)
    assert (before.weights, before.macs, before.live_macs) == (after.weights, after.macs, after.live_macs)


def test_a_layer_that_never_runs_is_not_counted() -> None:
    class Skipping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.used(images.flatten(1))

    cost = count(Skipping(), (1, 2, 2))
    assert (cost.weights, cost.parameters, cost.total) == (8, 10, 20)


def test_counting_leaves_the_network_as_it_was(network: nn.Module) -> None:
    network.train()
    network.get_submodule("units.conv1").eval()
    modes = [module.training for module in network.modules()]
    values = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, SHAPE)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(values[name], tensor) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_meter_follows_the_weights(network: nn.Module) -> None:
    meter = Meter(network, positions(network, SHAPE))
    with torch.no_grad():
        network.get_submodule("units.conv2.linear").weight[0] = 0.0
    assert meter() == count(network, SHAPE)


def test_layers_compute_as_often_at_any_width(network: nn.Module) -> None:
    wider = plain_cnn.build({name: width + 3 for name, width in WIDTHS.items()}, SHAPE, 10)
    assert Meter(wider, positions(network, SHAPE))() == count(wider, SHAPE)
