"""Cutting and growing: what survives is moved unchanged, whatever kind of tensor it lies in."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gnap_search import catalog
from gnap_search.structure import surgery
from gnap_search.structure.edits import Cut, Edit, Grow, Split
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import Liveness, find
from tests.networks import kinds

SHAPE = (3, 16, 16)


@pytest.fixture(params=kinds.distinct())
def blueprint(request: pytest.FixtureRequest) -> Blueprint:
    return Blueprint(str(request.param), SHAPE, 10)


def seed(blueprint: Blueprint) -> dict[str, int]:
    network, scale = catalog.implementation("networks", blueprint.network), kinds.scale(blueprint.network)
    widths: dict[str, int] = network.seed_widths(SHAPE, scale)
    return widths


def operate(
    blueprint: Blueprint, model: nn.Module, widths: dict[str, int], edits: list[Edit]
) -> tuple[nn.Module, dict[str, int]]:
    operation = surgery.Operation(widths, edits, blueprint.blocks)
    rebuilt = blueprint.build(operation.widths)
    operation.transfer(find(blueprint.build, widths), model.state_dict(), rebuilt.state_dict())
    return rebuilt.eval(), operation.widths


def trained(blueprint: Blueprint, widths: dict[str, int]) -> nn.Module:
    model = blueprint.build(widths)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.train()(torch.rand(64, *SHAPE))
    return model.eval()


def test_channels_that_are_born_silent_change_nothing(blueprint: Blueprint) -> None:
    widths = seed(blueprint)
    model, images = trained(blueprint, widths), torch.rand(8, *SHAPE)
    grown, wider = operate(blueprint, model, widths, [Grow(group, 2, outgoing=0.0) for group in widths])
    assert wider == {group: width + 2 for group, width in widths.items()}
    torch.testing.assert_close(grown(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_children_and_parents_together_do_what_parents_did(blueprint: Blueprint, share: float) -> None:
    widths = seed(blueprint)
    model, images = trained(blueprint, widths), torch.rand(8, *SHAPE)
    splits = [
        Split(group, (width - 1, 0)[: min(width, 2)], outgoing=share, kept=1 - share)
        for group, width in widths.items()
    ]
    grown, wider = operate(blueprint, model, widths, splits)
    assert all(wider[split.group] == widths[split.group] + len(split.parents) for split in splits)
    torch.testing.assert_close(grown(images), model(images), rtol=1e-4, atol=1e-4)


def test_noise_tells_children_from_their_parents(blueprint: Blueprint) -> None:
    widths = seed(blueprint)
    model = trained(blueprint, widths)
    alike, noisy = (
        operate(blueprint, model, widths, [Split(group, (0,), noise=noise) for group in widths])[0]
        for noise in (0.0, 0.1)
    )
    for group, slots in find(blueprint.build, widths).items():
        for slot in slots:
            if slot.axis == 0 and slot.path.endswith("linear.weight"):
                parent, child = (noisy.get_parameter(slot.path)[place] for place in (0, widths[group]))
                assert 0 < (parent - child).abs().mean() < parent.abs().mean(), slot.path
                same = alike.get_parameter(slot.path)
                assert torch.equal(same[widths[group]], same[0])


def test_growing_and_cutting_the_newborn_again_is_the_identity(blueprint: Blueprint) -> None:
    widths = seed(blueprint)
    model = trained(blueprint, widths)
    grown, wider = operate(blueprint, model, widths, [Grow(group, 3) for group in widths])
    back, narrower = operate(
        blueprint, grown, wider, [Cut(group, tuple(range(width))) for group, width in widths.items()]
    )
    assert narrower == widths
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], tensor)


def test_removing_dead_channels_keeps_the_output(blueprint: Blueprint) -> None:
    widths = seed(blueprint)
    model = trained(blueprint, widths)
    with torch.no_grad():
        for group, slots in find(blueprint.build, widths).items():
            readers = [slot for slot in slots if slot.axis == 1 and slot.path.endswith("weight")]
            for slot in readers:
                model.get_parameter(slot.path)[:, : slot.span] = 0
            assert readers, group
    alive = Liveness(blueprint, widths)(model, widths)
    cuts = surgery.remaining(alive, frozenset())
    smaller, narrower = operate(blueprint, model, widths, cuts)
    assert all(narrower[group] <= max(1, widths[group] - 1) for group in widths)
    images = torch.rand(8, *SHAPE)
    torch.testing.assert_close(smaller(images), model(images), rtol=1e-4, atol=1e-4)


def test_a_block_goes_with_its_first_group_that_is_empty(bottleneck: str) -> None:
    blueprint, images = Blueprint(bottleneck, SHAPE, 10), torch.rand(8, *SHAPE)
    for block in blueprint.blocks:
        for group in block:
            widths = seed(blueprint)
            model = trained(blueprint, widths)
            edits = [Cut(group, ()), *(Grow(other, 1) for other in block if other != group)]
            smaller, narrower = operate(blueprint, model, widths, edits)
            assert narrower == {**widths, **dict.fromkeys(block, 0)}
            model.get_submodule(f"blocks.{block[0].replace('inner', 'block')[:-2]}").residual = None
            torch.testing.assert_close(smaller(images), model(images))


def test_a_block_of_several_groups_opens_in_all_of_them_and_by_its_last_norm(bottleneck: str) -> None:
    blueprint, images = Blueprint(bottleneck, SHAPE, 10), torch.rand(32, *SHAPE)
    widths = {**seed(blueprint), **dict.fromkeys(blueprint.optional, 0)}
    model = trained(blueprint, widths)
    births: list[Edit] = [Grow(group, 4, outgoing=0.0) for group in sorted(blueprint.optional)]
    with pytest.raises(AssertionError, match="all of its groups"):
        operate(blueprint, model, widths, births[:1])
    grown, _ = operate(blueprint, model, widths, births)
    torch.testing.assert_close(grown(images), model(images))
    grown.train()
    optimizer = torch.optim.Adam(grown.parameters(), 1e-2)
    for _ in range(2):  # at first only the last norm of a block learns
        optimizer.zero_grad()
        grown(images).square().mean().backward()
        optimizer.step()
    born = {path: one for path, one in grown.named_parameters() if path not in model.state_dict()}
    assert all(one.grad is not None and bool(one.grad.abs().sum() > 0) for one in born.values())


def test_a_chain_of_dead_channels_dies_together() -> None:
    blueprint, widths = Blueprint("mlp", (1, 4, 4), 3), {"layer1": 3, "layer2": 3, "layer3": 3}
    model = blueprint.build(widths)
    with torch.no_grad():
        model.get_parameter("units.layer2.linear.weight")[1:] = 0  # only its first unit is fed
        model.get_parameter("units.layer2.linear.weight")[0, 1:] = 0  # and by one unit alone
    alive = Liveness(blueprint, widths)(model, widths)
    assert alive["layer1"].tolist() == [True, False, False]
    assert alive["layer2"].tolist() == [True, False, False]
    assert alive["layer3"].all()


def test_a_group_keeps_one_channel_unless_its_block_may_vanish() -> None:
    dead = {"must": torch.zeros(3, dtype=torch.bool), "may": torch.zeros(2, dtype=torch.bool)}
    assert surgery.remaining(dead, frozenset({"may"})) == [Cut("must", (0,)), Cut("may", ())]


def test_a_block_that_grows_from_nothing_starts_fresh() -> None:
    blueprint = Blueprint("resnet", SHAPE, 10)
    widths = {**seed(blueprint), "inner1_2": 0}
    model = trained(blueprint, widths)
    grown, wider = operate(blueprint, model, widths, [Grow("inner1_2", 4)])
    assert wider["inner1_2"] == 4
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(grown.state_dict()[name], tensor)


@pytest.mark.parametrize("name", ["resnet", "mobilenet"])
def test_a_layer_that_is_born_silent_opens_smoothly(name: str) -> None:
    blueprint, images = Blueprint(name, SHAPE, 10), torch.rand(32, *SHAPE)
    groups = sorted(blueprint.optional)
    widths = {**seed(blueprint), **dict.fromkeys(groups, 0)}
    model = trained(blueprint, widths)
    grown, _ = operate(blueprint, model, widths, [Grow(group, 4, outgoing=0.0) for group in groups])
    torch.testing.assert_close(grown(images), model(images))
    before = grown.train()(images)
    torch.testing.assert_close(before, model.train()(images))
    before.square().mean().backward()
    newborn = {path: one for path, one in grown.named_parameters() if path not in model.state_dict()}
    gains = [path for path, one in newborn.items() if one.ndim == 1 and path.endswith("weight")]
    assert gains and all(bool(newborn[path].grad.abs().sum() > 0) for path in gains)
    assert all(float(one.grad.abs().max()) < 1 for one in newborn.values())
    moved = [_after_a_step(grown, images, rate) - before for rate in (1e-4, 1e-3)]
    assert float(moved[0].detach().abs().max()) < 0.1
    assert 5 < float(moved[1].detach().norm() / moved[0].detach().norm()) < 20


def _after_a_step(model: nn.Module, images: Tensor, rate: float) -> Tensor:
    """What a copy of a model gives after a step of Adam of that rate, with the gradients that are there."""
    stepped = copy.deepcopy(model)
    for one, other in zip(stepped.parameters(), model.parameters(), strict=True):
        one.grad = other.grad
    torch.optim.Adam(stepped.parameters(), lr=rate).step()
    outputs: Tensor = stepped(images)
    return outputs


def test_old_moments_are_kept_and_new_ones_start_at_zero() -> None:
    blueprint, widths = Blueprint("mlp", (1, 4, 4), 3), {"layer1": 3, "layer2": 3, "layer3": 3}
    model = blueprint.build(widths)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(8, 1, 4, 4)).sum().backward()
    optimizer.step()
    operation = surgery.Operation(widths, [Cut("layer2", (2, 0)), Grow("layer2", 1)])
    rebuilt = blueprint.build(operation.widths)
    fresh = torch.optim.AdamW(rebuilt.parameters())
    slots = find(blueprint.build, widths)
    surgery.transfer_moments(operation, slots, (model, optimizer), (rebuilt, fresh))
    path = "units.layer2.linear.weight"
    before = optimizer.state[model.get_parameter(path)]["exp_avg"]
    after = fresh.state[rebuilt.get_parameter(path)]["exp_avg"]
    torch.testing.assert_close(after, torch.stack([before[2], before[0], torch.zeros(3)]))


def test_newborn_channels_may_stand_anywhere_among_the_old_ones() -> None:
    blueprint, widths = Blueprint("mlp", (1, 4, 4), 3), {"layer1": 3, "layer2": 3, "layer3": 3}
    model = blueprint.build(widths)
    edits = [edit for group in ("layer1", "layer2") for edit in (Grow(group, 1), Cut(group, (2, 3, 0)))]
    operation = surgery.Operation(widths, edits)
    rebuilt = blueprint.build(operation.widths)
    path = "units.layer2.linear.weight"
    before, fresh = model.get_parameter(path).clone(), rebuilt.get_parameter(path).clone()
    operation.transfer(find(blueprint.build, widths), model.state_dict(), rebuilt.state_dict())
    expected = fresh.clone()
    for new_output, output in ((0, 2), (2, 0)):
        for new_input, source in ((0, 2), (2, 0)):
            expected[new_output, new_input] = before[output, source]
    torch.testing.assert_close(rebuilt.get_parameter(path), expected)
