"""Every network in the folder is a function of its widths."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import nn

from gnap_search import catalog
from gnap_search.structure import cost, surgery
from gnap_search.structure.model import Blueprint, Classifier
from gnap_search.structure.slots import Liveness, find
from tests.networks import kinds

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 64, 48)]


@pytest.fixture(params=catalog.names("networks"))
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def seed(network: str, shape: tuple[int, int, int], scale: float | None = None) -> dict[str, int]:
    module = catalog.implementation("networks", network)
    widths: dict[str, int] = module.seed_widths(shape, scale or kinds.scale(network))
    return widths


def some(blocks: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All blocks, or of more than ten, which only deep networks have, the first, the middle and the last."""
    chosen = sorted(blocks)
    return chosen if len(chosen) <= 10 else [chosen[0], chosen[len(chosen) // 2], chosen[-1]]


@pytest.mark.parametrize("shape", SHAPES)
def test_gives_a_logit_for_every_class_and_a_gradient_for_every_parameter(
    network: str, shape: tuple[int, int, int]
) -> None:
    model = Blueprint(network, shape, 7).build(seed(network, shape))
    logits = model(torch.rand(4, *shape))
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_seed_grows_with_its_scale_and_is_never_empty(network: str) -> None:
    small, large = seed(network, (3, 32, 32), 0.01), seed(network, (3, 32, 32), 2)
    assert all(width >= 1 for width in small.values())
    assert all(large[group] >= small[group] for group in small)


def test_every_group_has_a_producer_and_a_reader(network: str) -> None:
    blueprint = Blueprint(network, (3, 32, 32), 10)
    for group, slots in find(blueprint.build, seed(network, (3, 32, 32))).items():
        weights = {slot.axis for slot in slots if slot.path.endswith("weight")}
        assert weights == {0, 1}, group


def test_a_fresh_network_has_no_dead_channel(network: str) -> None:
    blueprint, widths = Blueprint(network, (3, 32, 32), 10), seed(network, (3, 32, 32))
    alive = Liveness(blueprint, widths)(blueprint.build(widths), widths)
    assert all(flags.all() for flags in alive.values())


def test_no_channel_goes_around_its_depthwise_filter(network: str) -> None:
    blueprint, widths = Blueprint(network, (3, 32, 32), 10), seed(network, (3, 32, 32))
    model = blueprint.build(widths).eval()
    filters = [one for one in model.modules() if isinstance(one, nn.Conv2d) and one.groups > 1]
    if not filters:
        return
    with torch.no_grad():
        for layer in filters:
            layer.weight[0] = 0  # behind it a fresh norm gives zeros as well
    cuts = surgery.remaining(Liveness(blueprint, widths)(model, widths), frozenset())
    operation = surgery.Operation(widths, cuts)
    smaller = blueprint.build(operation.widths).eval()
    operation.transfer(find(blueprint.build, widths), model.state_dict(), smaller.state_dict())
    images = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(smaller(images), model(images), rtol=1e-4, atol=1e-5)


def test_an_optional_block_of_width_zero_is_an_identity_that_costs_nothing(network: str) -> None:
    module, shape = catalog.implementation("networks", network), (3, 32, 32)
    widths = seed(network, shape)
    before = cost.count(Blueprint(network, shape, 10).build(widths), shape)
    for block in some(getattr(module, "OPTIONAL", ())):
        model = Blueprint(network, shape, 10).build({**widths, **dict.fromkeys(block, 0)}).eval()
        assert model(torch.rand(2, *shape)).shape == (2, 10)
        assert cost.count(model, shape).parameters < before.parameters


def test_folding_changes_nothing_at_inference(network: str) -> None:
    shape = (3, 32, 32)
    model = Classifier(Blueprint(network, shape, 10), seed(network, shape), 0.4, 0.3)
    for _ in range(3):
        model.train()(torch.rand(64, *shape))
    images = torch.rand(16, *shape)
    torch.testing.assert_close(model.fold()(images), model.eval()(images), rtol=1e-4, atol=1e-5)
    assert model.fold().folded
    assert not model.folded
