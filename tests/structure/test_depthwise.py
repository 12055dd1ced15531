"""A depth-wise convolution: one filter a channel, which the channel lives and dies, moves and costs with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gnap_search import catalog
from gnap_search.structure import surgery
from gnap_search.structure.cost import count
from gnap_search.structure.edits import Cut, Grow
from gnap_search.structure.layers import Unit, convolution, depthwise
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import Liveness, Slot, find

SHAPE = (3, 16, 16)
BLUEPRINT = Blueprint("mobilenet", SHAPE, 10)
WIDTHS: dict[str, int] = catalog.implementation("networks", "mobilenet").seed_widths(SHAPE, 0.5)
GROUP, BLOCK = "inner2_2", "blocks.block2_2.residual"
EXPANSION, FILTER, PROJECTION = (f"{BLOCK}.{index}.linear.weight" for index in range(3))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    network = BLUEPRINT.build(WIDTHS)
    network.train()(torch.rand(64, *SHAPE))
    return network.eval()


@torch.no_grad()
def silence(model: nn.Module, path: str, channel: int, axis: int = 0) -> None:
    model.get_parameter(path).select(axis, channel).zero_()


def alive(model: nn.Module) -> dict[str, Tensor]:
    return Liveness(BLUEPRINT, WIDTHS)(model, WIDTHS)


def test_it_has_one_slot_of_its_group() -> None:
    slots = find(BLUEPRINT.build, WIDTHS)
    assert [slot for slot in slots[GROUP] if slot.path == FILTER] == [Slot(FILTER, 0, 1)]
    assert not any(slot.path == FILTER for group in slots.keys() - {GROUP} for slot in slots[group])


@pytest.mark.parametrize(("path", "axis"), [(EXPANSION, 0), (FILTER, 0), (PROJECTION, 1)])
def test_a_channel_needs_its_input_its_filter_and_its_output(model: nn.Module, path: str, axis: int) -> None:
    silence(model, path, 1, axis)
    flags = alive(model)
    assert flags.pop(GROUP).tolist() == [index != 1 for index in range(WIDTHS[GROUP])]
    assert all(others.all() for others in flags.values())


def test_one_weight_of_a_filter_keeps_its_channel_alive(model: nn.Module) -> None:
    silence(model, FILTER, 1)
    with torch.no_grad():
        model.get_parameter(FILTER)[1, 0, 4, 0] = 1e-6
    assert alive(model)[GROUP].all()


def test_dead_filters_kill_what_only_they_read_and_feed() -> None:
    widths = {**WIDTHS, "inner1_2": 0, "inner1_3": 0}
    network = BLUEPRINT.build(widths)
    silence(network, "blocks.block2_1.residual.0.linear.weight", 0, axis=1)
    silence(network, "blocks.block2_1.shortcut.linear.weight", 0, axis=1)  # the first block alone reads on
    with torch.no_grad():
        network.get_parameter("blocks.block1_1.residual.1.linear.weight").zero_()
    flags = Liveness(BLUEPRINT, widths)(network, widths)
    assert not flags["inner1_1"].any()
    assert flags["stage1"].tolist() == [index != 0 for index in range(widths["stage1"])]


def test_moments_move_with_their_filters(model: nn.Module) -> None:
    optimizer = torch.optim.AdamW(model.parameters())
    model.train()(torch.rand(8, *SHAPE)).sum().backward()
    optimizer.step()
    operation = surgery.Operation(WIDTHS, [Cut(GROUP, (4, 1)), Grow(GROUP, 1)])
    rebuilt = BLUEPRINT.build(operation.widths)
    fresh, slots = torch.optim.AdamW(rebuilt.parameters()), find(BLUEPRINT.build, WIDTHS)
    surgery.transfer_moments(operation, slots, (model, optimizer), (rebuilt, fresh))
    before = optimizer.state[model.get_parameter(FILTER)]["exp_avg"]
    after = fresh.state[rebuilt.get_parameter(FILTER)]["exp_avg"]
    torch.testing.assert_close(after, torch.stack([before[4], before[1], torch.zeros(1, 5, 5)]))


def test_it_is_counted_as_by_hand_and_as_by_torch() -> None:
    network = nn.Sequential(Unit(convolution(1, 4)), Unit(depthwise(4, kernel=5, stride=2)))
    silence(network, "1.linear.weight", 2)
    cost = count(network, (1, 8, 8))
    assert (cost.weights, cost.parameters, cost.total) == (36 + 75, 36 + 75 + 8, 36 + 100 + 8)
    assert (cost.macs, cost.live_macs) == (36 * 64 + 100 * 16, 36 * 64 + 75 * 16)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 1, 8, 8))
    assert 2 * cost.macs == counter.get_total_flops()
