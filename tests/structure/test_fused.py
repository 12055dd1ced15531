"""The fused operation computes what pooling, norm and ReLU compute one after the other."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import Tensor

from gnap_search.structure import fused
from gnap_search.structure.layers import Unit, convolution
from gnap_search.structure.norm import Norm

pytestmark = [
    pytest.mark.skipif(not fused.AVAILABLE, reason="numba is not installed"),
    pytest.mark.xdist_group("kernels"),  # compiled once
]

# Pool 2 with a gain does not exist: the gain would not commute with the maximum.
KINDS = [(1, True, False), (1, False, True), (1, True, True), (2, True, False), (2, False, False)]


def unit(pool: int, *, activate: bool, gain: bool) -> Unit:
    torch.manual_seed(1)
    made = Unit(convolution(3, 5), pool=pool, activate=activate, gain=gain)
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    for parameter in made.norm.parameters():
        torch.nn.init.normal_(parameter)
    return made


def outcome(model: Unit, images: Tensor, precision: torch.dtype) -> list[Tensor]:
    """What a step leaves behind: outputs, all gradients, running statistics."""
    images = images.clone().requires_grad_()
    reduced = precision == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16) if reduced else contextlib.nullcontext():
        outputs = model(images)
    outputs.backward(torch.linspace(-1, 1, outputs.numel()).view_as(outputs).to(outputs))
    gradients = [parameter.grad for parameter in model.parameters()]
    return [outputs.detach().float(), images.grad, *gradients, *model.norm.buffers()]


@pytest.mark.slow  # the first time the kernels are compiled
@pytest.mark.timeout(120)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("pool", "activate", "gain"), KINDS)
def test_it_is_the_separate_operations(
    pool: int,
    activate: bool,
    gain: bool,
    precision: torch.dtype,
    training: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    separate = unit(pool, activate=activate, gain=gain).train(training)
    together = copy.deepcopy(separate)
    images = torch.randn(9, 3, 12, 10).to(memory_format=torch.channels_last)
    expected = outcome(separate, images, precision)
    monkeypatch.setattr(fused, "MANY", 0)
    rounding = 1e-4 if precision == torch.float32 else 2e-2
    for given, wanted in zip(outcome(together, images, precision), expected, strict=True):
        torch.testing.assert_close(given, wanted, rtol=rounding, atol=rounding * wanted.abs().max().item())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_of_equal_values_the_first_gets_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = []
    for many in (1 << 30, 0):
        monkeypatch.setattr(fused, "MANY", many)
        blank = unit(2, activate=False, gain=False)
        images = torch.ones(2, 3, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
        blank(images).square().sum().backward()
        gradients.append(images.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_is_no_number_stays_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "MANY", 0)
    diverged = unit(1, activate=True, gain=False)
    torch.nn.init.constant_(diverged.linear.weight, float("nan"))
    assert diverged(torch.ones(2, 3, 8, 8).to(memory_format=torch.channels_last)).isnan().all()


def test_small_and_foreign_images_are_left_to_torch() -> None:
    norm = Norm(64)
    many = torch.empty(1, 64, 64, fused.MANY // 4096).permute(0, 3, 1, 2)
    assert fused.applies(many, norm, 2)
    assert not fused.applies(many[:, :, :60], norm, 2)  # too few
    assert not fused.applies(many.contiguous(), norm, 2)  # channels first
    assert not fused.applies(many, norm, 3)
    assert not fused.applies(many.to("meta"), norm, 2)
    assert not fused.applies(many.double(), norm, 2)


def test_a_norm_that_is_watched_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "MANY", 0)
    watched, calls = unit(1, activate=True, gain=False), []
    watched.norm.register_forward_hook(lambda *_: calls.append("norm"))
    watched(torch.ones(2, 3, 8, 8).to(memory_format=torch.channels_last))
    assert calls == ["norm"]
