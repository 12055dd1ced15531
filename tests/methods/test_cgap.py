"""CGaP: where the saliency comes from, who is split and how far, and which filters go."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from gnap_search.contracts import Data, Progress
from gnap_search.methods.cgap import CGaP, SaliencyMask, larger
from gnap_search.structure.edits import Cut, Split
from gnap_search.structure.masks import masked
from gnap_search.structure.model import Blueprint
from gnap_search.training.trainer import Plan, Trainer
from tests.conftest import MakePoint

MLP = Blueprint("mlp", (1, 2, 2), 3)
WIDTHS = {"layer1": 4, "layer2": 3, "layer3": 5}


def attached(blueprint: Blueprint, widths: dict[str, int], method: CGaP) -> nn.Module:
    model = blueprint.build(widths)
    method.attach(model, blueprint)
    return model


def trainer(data: Data, network: str = "plain-cnn", epochs: int = 8, **settings: float) -> Trainer:
    own = {"seed_scale": 0.5, "growth_period": 1, **settings}
    return Trainer(Plan(0, "digits", "cgap", network, "classification", epochs, 5, None, own), data)


def test_saliency_is_what_autograd_says_by_hand_summed_over_batches() -> None:
    blueprint = Blueprint("resnet", (3, 8, 8), 4)
    widths = {**dict.fromkeys(["stage1", "stage2", "stage3"], 3)}
    widths |= {f"inner{stage}_{block}": 2 for stage in (1, 2, 3) for block in (1, 2)}
    plain = blueprint.build(widths)
    model = attached(blueprint, widths, CGaP())
    layers = [layer for layer in plain.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer, (stored, _) in zip(layers, masked(model, SaliencyMask), strict=True):
        stored.data.copy_(layer.weight.data)
    model.get_parameter("head.bias").data.copy_(plain.get_parameter("head.bias"))
    expected = [torch.zeros(len(layer.weight)) for layer in layers]
    for batch in torch.rand(2, 8, 3, 8, 8):
        model(batch).square().mean().backward()
        gradients = torch.autograd.grad(plain(batch).square().mean(), [layer.weight for layer in layers])
        for total, gradient, layer in zip(expected, gradients, layers, strict=True):
            total += (gradient * layer.weight).detach().abs().flatten(1).sum(1)
    for total, (_, mask) in zip(expected, masked(model, SaliencyMask), strict=True):
        assert total.max() > 0
        torch.testing.assert_close(mask.saliency, total, rtol=1e-3, atol=1e-6)


def test_what_is_masked_has_neither_gradient_nor_saliency() -> None:
    mask = SaliencyMask(torch.zeros(2, 3))
    mask.kept.copy_(torch.tensor([[1, 0, 1], [0, 0, 0]]))
    weight = torch.tensor([[1.0, 2.0, -3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    (mask(weight) * 2.0).sum().backward()
    assert mask.saliency.tolist() == [8.0, 0.0]
    assert weight.grad is not None
    assert weight.grad.tolist() == [[2.0, 0.0, 2.0], [0.0, 0.0, 0.0]]


def test_the_most_salient_channels_are_split_as_far_as_there_is_room(make_point: MakePoint) -> None:
    method = CGaP(capacity=1.5, growth_share=0.5, growth_period=2)
    model = attached(MLP, WIDTHS, method)
    for layer, saliency in {"layer1": [4, 1, 3, 2], "layer2": [1, 3, 2], "layer3": [5, 4, 3, 2, 1]}.items():
        mask = model.get_submodule(f"units.{layer}.linear.parametrizations.weight.0")
        mask.saliency.copy_(torch.tensor(saliency))
    history = [make_point(0, 1, 100, 0.5)]
    history[0].widths.clear()
    history[0].widths.update({"layer1": 4, "layer2": 2, "layer3": 4})
    assert method.grow(model, MLP, history) == []
    edits = method.grow(model, MLP, [*history, history[0]])
    assert edits == [
        Split("layer1", (0, 2), 1.0, 0.5, 0.5, method.birth_noise),
        Split("layer3", (0,), 1.0, 0.5, 0.5, method.birth_noise),
    ]


@pytest.mark.parametrize("network", ["plain-cnn", "resnet", "mobilenet"])
def test_without_noise_growth_leaves_the_logits_as_they_were(network: str, small_digits: Data) -> None:
    training = trainer(small_digits, network, birth_noise=0.0, child_share=0.3)
    assert training.epoch().grown
    images = torch.rand(16, *small_digits.shape)
    with torch.no_grad():
        grown = training.model.eval()((images - training.mean) / training.deviation)
        before = training.classifier(images)
    assert sum(training.widths.values()) > sum(training.classifier.widths.values())
    torch.testing.assert_close(grown, before, rtol=1e-3, atol=1e-4)


def test_no_group_outgrows_the_capacity_and_nothing_grows_in_the_finish(small_digits: Data) -> None:
    training = trainer(small_digits, capacity=1.7, growth_share=1.0, epochs=10)
    while not training.finished:
        training.epoch()
    start, peak = training.points[0].widths, training.points[4].widths
    assert peak == {group: round(1.7 * width) for group, width in start.items()}
    later = training.points[4:]
    assert all(
        one.widths[group] >= two.widths[group] for one, two in itertools.pairwise(later) for group in start
    )
    assert later[-1].weights < later[0].weights


def test_the_smallest_weights_are_masked_up_to_the_quantile() -> None:
    weight = torch.tensor([[0.1, -0.4], [0.3, -0.2]])
    assert larger(weight, 0.5).tolist() == [[False, True], [True, False]]
    assert larger(weight, 0.2).all()


def test_a_filter_with_enough_zeros_goes_and_the_others_stay() -> None:
    method = CGaP(removal_share=0.5)
    model = attached(MLP, WIDTHS, method)
    assert method.prune(model, MLP, []) == []
    mask = model.get_submodule("units.layer1.linear.parametrizations.weight.0")
    mask.kept[1, 1:] = False  # one weight of four is left, where the average is 3.25
    assert method.prune(model, MLP, []) == [Cut("layer1", (0, 2, 3))]


def test_a_channel_of_a_stage_is_judged_by_all_filters_that_lead_to_it() -> None:
    blueprint = Blueprint("resnet", (1, 8, 8), 3)
    method = CGaP(removal_share=0.5)
    widths = dict.fromkeys(["stage1", "stage2", "stage3"], 4)
    widths |= {f"inner{stage}_{block}": 2 for stage in (1, 2, 3) for block in (1, 2)}
    model = attached(blueprint, widths, method)
    leading = ("stem.linear", "blocks.block1_1.second.linear", "blocks.block1_2.second.linear")
    for name in leading[:2]:
        model.get_submodule(f"{name}.parametrizations.weight.0").kept[0] = False
    assert method.prune(model, blueprint, []) == [Cut("stage1", (1, 2, 3))]
    model.get_submodule(f"{leading[1]}.parametrizations.weight.0").kept[0] = True
    assert method.prune(model, blueprint, []) == []


def test_it_grows_then_prunes_then_finishes() -> None:
    method = CGaP(pruning_quantile=0.5, pruning_share=0.5)
    model = attached(MLP, WIDTHS, method)
    phases, masked_shares = [], []
    for done in range(8):
        phases.append(method.prepare(model, Progress(done, 8, 4)))
        kept = torch.cat([mask.kept.flatten() for _, mask in masked(model, SaliencyMask)])
        masked_shares.append(1 - float(kept.float().mean()))
    assert phases == ["growing"] * 4 + ["pruning"] * 2 + ["finishing"] * 2
    assert masked_shares == pytest.approx([0, 0, 0, 0, 0.25, 0.5, 0.5, 0.5], abs=0.05)  # whole weights
