"""The algebra of DHP's hypernetworks and latents, and where its search stops."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
import torch
from torch import nn

from gnap_search import catalog
from gnap_search.contracts import Data, Progress
from gnap_search.methods._cost import cost
from gnap_search.methods.dhp import DHP, HyperNetwork, Latents
from gnap_search.structure import surgery
from gnap_search.structure.edits import Cut, Settle
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import Ends, effective, ends, find
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

SHAPE = (1, 8, 8)
RESIDUAL = Blueprint("resnet", SHAPE, 10)


@pytest.fixture(params=catalog.names("networks"))
def blueprint(request: pytest.FixtureRequest) -> Blueprint:
    return Blueprint(str(request.param), SHAPE, 10)


def seed(blueprint: Blueprint, scale: float = 0.5) -> dict[str, int]:
    widths: dict[str, int] = catalog.implementation("networks", blueprint.network).seed_widths(SHAPE, scale)
    return widths


def attached(method: DHP, blueprint: Blueprint, widths: dict[str, int]) -> tuple[nn.Module, Latents]:
    model = blueprint.build(widths)
    method.attach(model, blueprint)
    (latents,) = (module for module in model.modules() if isinstance(module, Latents))
    return model, latents


@torch.no_grad()
def stirred(model: nn.Module) -> nn.Module:
    """With every parameter, zeros included, at some value, and the norms as they are after a batch."""
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    model.train()(torch.rand(32, *SHAPE))
    return model.eval()


def test_a_weight_is_made_of_its_two_latents_as_the_paper_says() -> None:
    latents = Latents({"one": 3, "other": 4}, ())
    weight = torch.randn(4, 3, 2, 2)
    network = HyperNetwork(weight, latents, Ends("one", "other"))
    bias = torch.randn_like(weight)
    stirred_up = [parameter.data.normal_() for parameter in network.parameters()]
    assert len(stirred_up) == 4
    expected = torch.empty_like(weight)
    for output in range(4):
        for input_ in range(3):
            pair = latents.of["other"][output] * latents.of["one"][input_] + network.bias0[output, input_]
            embedding = pair * network.weight1[output, input_] + network.bias1[output, input_]
            taps = network.weight2[output, input_].view(4, 8) @ embedding
            expected[output, input_] = taps.view(2, 2) + bias[output, input_]
    torch.testing.assert_close(network(bias), expected)


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_first_weights_vary_as_one_over_their_fan_in(kernel: int) -> None:
    torch.manual_seed(0)
    latents = Latents({"one": 200, "other": 300}, ())
    weight = torch.randn(300, 200, kernel, kernel)
    network = HyperNetwork(weight, latents, Ends("one", "other"))
    made = network(network.right_inverse(weight)).detach()
    assert float(made.var()) == pytest.approx(1 / (200 * kernel**2), rel=0.25)
    assert abs(float(made.mean())) < 0.05 * float(made.std())


def test_each_latent_is_kept_once_and_copies_are_independent(blueprint: Blueprint) -> None:
    model, latents = attached(DHP(), blueprint, seed(blueprint))
    assert sum("latents" in path for path in model.state_dict()) == len(blueprint.groups)
    assert len({id(one) for one in model.parameters()}) == len(model.state_dict(keep_vars=True)) - sum(
        1 for _ in model.buffers()
    )
    twin = copy.deepcopy(model).eval()
    images = torch.rand(4, *SHAPE)
    before = model.eval()(images)
    torch.testing.assert_close(twin(images), before)
    for latent in latents.of.values():
        latent.data.mul_(2)
    assert not torch.allclose(model(images), before)
    torch.testing.assert_close(twin(images), before)


def test_what_is_cut_and_settled_is_the_hypernetwork_of_the_latents_that_were_kept(
    blueprint: Blueprint,
) -> None:
    method, widths = DHP(), seed(blueprint)
    model = stirred(attached(method, blueprint, widths)[0])
    cuts = [Cut(group, tuple(range(1, width))) for group, width in widths.items() if width > 1]

    def assemble(wanted: Mapping[str, int]) -> nn.Module:
        return attached(method, blueprint, dict(wanted))[0]

    operation = surgery.Operation(widths, cuts)
    restricted = assemble(operation.widths)
    operation.transfer(find(assemble, widths), model.state_dict(), restricted.state_dict())

    operation = surgery.Operation(widths, cuts)
    sliced = blueprint.build(operation.widths)
    values = {path: effective(model, path) for path in sliced.state_dict()}
    operation.transfer(find(blueprint.build, widths), values, sliced.state_dict())
    images = torch.rand(8, *SHAPE)
    torch.testing.assert_close(sliced.eval()(images), restricted.eval()(images), rtol=1e-5, atol=1e-5)


def test_a_step_shrinks_latents_softly_but_not_one_that_has_few_entries_left() -> None:
    method = DHP(regularization=0.5, least_channels=2, threshold=0.05)
    model, latents = attached(method, RESIDUAL, seed(RESIDUAL))
    first, second, *_ = latents.prunable
    with torch.no_grad():
        latents.of[first].copy_(torch.tensor([0.4, -0.4, 0.06]))
        latents.of[second].copy_(torch.tensor([0.4, -0.4, 0.04]))
    method.project(model, 0.2)
    torch.testing.assert_close(latents.of[first].detach(), torch.tensor([0.3, -0.3, 0.0]))
    torch.testing.assert_close(latents.of[second].detach(), torch.tensor([0.4, -0.4, 0.04]))
    method.project(model, torch.tensor(0.2))
    torch.testing.assert_close(latents.of[first].detach(), torch.tensor([0.3, -0.3, 0.0]))


def test_the_channels_that_the_classifier_reads_may_be_left_alone() -> None:
    for choice in ("pruned", "kept"):
        _, latents = attached(DHP(classifier_inputs=choice), RESIDUAL, seed(RESIDUAL))
        assert ("stage3" in latents.prunable) == (choice == "pruned")
        assert set(latents.prunable) | {"stage3"} == set(RESIDUAL.groups)


def test_a_depthwise_filter_has_the_latent_of_its_group() -> None:
    blueprint = Blueprint("mobilenet", SHAPE, 10)
    model, latents = attached(DHP(), blueprint, seed(blueprint))
    filters = next(
        path for path, one in ends(blueprint, blueprint.groups).items() if one.filtered == "inner1_1"
    )
    before = effective(model, filters)
    latents.of["inner1_1"].data[0] *= 2
    torch.testing.assert_close(effective(model, filters)[0], 2 * before[0])
    torch.testing.assert_close(effective(model, filters)[1:], before[1:])


def test_costs_are_those_of_the_authors_and_nothing_cut_costs_everything() -> None:
    blueprint, widths = Blueprint("mlp", (1, 2, 2), 3), (("layer1", 5), ("layer2", 4), ("layer3", 2))
    weights = 4 * 5 + 5 * 4 + 4 * 2 + 2 * 3
    assert cost(blueprint, "flops", widths) == weights + 2 * (5 + 4 + 2)
    assert cost(blueprint, "parameters", widths) == weights + (5 + 4 + 2) + 3
    method = DHP(target=1)
    model, _ = attached(method, blueprint, dict(widths))
    assert method.prune(model, blueprint, []) == [Settle()]


@pytest.mark.parametrize("resource", ["flops", "parameters"])
@pytest.mark.parametrize("target", [0.6, 0.2])
def test_a_search_that_is_over_ends_at_its_target_however_large_the_latents_are(
    resource: str, target: float
) -> None:
    torch.manual_seed(3)
    method, widths = DHP(target=target, resource=resource), seed(RESIDUAL, 3)
    model, _ = attached(method, RESIDUAL, widths)
    method.prepare(model, Progress(3, 10, 5))
    assert method.prune(model, RESIDUAL, []) == []
    method.prepare(model, Progress(4, 10, 5))
    left = surgery.Operation(widths, method.prune(model, RESIDUAL, [])).widths
    before, after = (cost(RESIDUAL, resource, tuple(one.items())) for one in (widths, left))
    assert abs(after / before - target) <= method.stop_limit


def test_a_target_that_was_passed_is_met_though_many_latents_are_zero() -> None:
    torch.manual_seed(3)
    method, widths = DHP(target=0.6), seed(RESIDUAL, 3)
    model, latents = attached(method, RESIDUAL, widths)
    for latent in latents.of.values():
        latent.data[1:] = 0
    left = surgery.Operation(widths, method.prune(model, RESIDUAL, [])).widths
    before, after = (cost(RESIDUAL, "flops", tuple(one.items())) for one in (widths, left))
    assert abs(after / before - 0.6) <= method.stop_limit


def test_the_search_ends_as_soon_as_the_latents_below_the_threshold_are_enough() -> None:
    method = DHP(target=0.5, threshold=0.1, stop_limit=0.05)
    widths = seed(RESIDUAL, 1)
    model, latents = attached(method, RESIDUAL, widths)
    method.prepare(model, Progress(0, 10, 5))
    for latent in latents.of.values():
        latent.data = torch.linspace(0.11, 1, len(latent))
    assert method.prune(model, RESIDUAL, []) == []
    for latent in latents.of.values():
        latent.data = torch.linspace(0.01, 0.3, len(latent))
    settle, *cuts = method.prune(model, RESIDUAL, [])
    assert settle == Settle() and cuts
    for cut in cuts:
        assert isinstance(cut, Cut)
        magnitudes = latents.of[cut.group].detach().abs()
        gone = [channel for channel in range(len(magnitudes)) if channel not in cut.keep]
        assert max(magnitudes[gone]) <= 0.1 and max(magnitudes[gone]) <= min(magnitudes[list(cut.keep)])


def test_after_settling_no_latents_are_left_and_training_is_plain(small_digits: Data) -> None:
    plan = Plan(0, "digits", "dhp", "plain-cnn", "classification", 4, 5, None, {"target": 0.5})
    training = Trainer(plan, small_digits)
    before = dict(training.widths)
    assert [training.epoch().phase for _ in range(4)] == ["pruning"] * 2 + ["finishing"] * 2
    assert training.points[0].widths == before and training.settled
    tensors, _ = training.state()
    plain = training.blueprint.build(training.widths).state_dict()
    assert {path.removeprefix("model/") for path in tensors if path.startswith("model/")} == set(plain)
