"""Masks: what they let through, and how many weights a distribution gives to each layer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gnap_search.structure import masks
from gnap_search.structure.masks import Mask, Masked

convolutions = st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3), st.just(3))
layers = st.lists((convolutions | st.tuples(st.integers(1, 40), st.integers(1, 40))), min_size=1, max_size=8)
shapes_of_networks = layers.map(lambda shapes: [torch.Size(shape) for shape in shapes])
densities = st.floats(0.02, 1)


def test_what_is_not_kept_is_zero_and_has_no_gradient() -> None:
    weight = torch.randn(4, 3, requires_grad=True)
    kept = torch.rand(4, 3) < 0.5
    arriving = torch.randn(4, 3)
    (Mask(kept)(weight) * arriving).sum().backward()
    assert torch.equal(Mask(kept)(weight), weight * kept)
    assert weight.grad is not None and torch.equal(weight.grad, arriving * kept)


def test_layers_have_masks_and_biases_and_norms_have_none() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    before = [model[0].weight.detach().clone(), model[3].weight.detach().clone()]
    masks.attach(model, lambda weights: [Mask(torch.ones_like(one, dtype=torch.bool)) for one in weights])
    found = masks.masked(model, Mask)
    assert all(isinstance(one, Masked) for one in found)
    assert all(torch.equal(one.weight, weight) for one, weight in zip(found, before, strict=True))
    assert {name for name, _ in model.named_buffers() if name.endswith("kept")} == {
        "0.parametrizations.weight.0.kept",
        "3.parametrizations.weight.0.kept",
    }


@given(shapes=shapes_of_networks, density=densities)
@pytest.mark.parametrize("distribution", ["uniform", "erdos-renyi-kernel"])
def test_the_layers_together_keep_the_density_that_was_asked(
    distribution: str, shapes: list[torch.Size], density: float
) -> None:
    counts = masks.counts(shapes, density, distribution)
    assert all(1 <= count <= shape.numel() for count, shape in zip(counts, shapes, strict=True))
    wanted = density * sum(shape.numel() for shape in shapes)
    assert abs(sum(counts) - wanted) <= len(shapes)  # each is rounded, and is at least one


@given(shapes=shapes_of_networks, density=densities)
def test_layers_that_are_not_full_have_weights_in_proportion_to_their_sides(
    shapes: list[torch.Size], density: float
) -> None:
    counts = masks.counts(shapes, density, "erdos-renyi-kernel")
    pairs = list(zip(counts, shapes, strict=True))
    sparse = [(count, sum(shape)) for count, shape in pairs if 1 < count < shape.numel()]
    least = max(((count - 0.5) / sides for count, sides in sparse), default=0)
    for count, shape in pairs:
        assert count + 0.5 >= min(shape.numel(), least * sum(shape)) - 1e-6


def test_erdos_renyi_kernel_gives_the_densities_of_the_paper() -> None:
    first, second, head = torch.Size((8, 1, 3, 3)), torch.Size((32, 16, 3, 3)), torch.Size((10, 32))
    sides = [8 + 1 + 3 + 3, 32 + 16 + 3 + 3, 10 + 32]
    sparse = masks.counts([first, second, head], 0.05, "erdos-renyi-kernel")
    scale = 0.05 * (72 + 4608 + 320) / sum(sides)
    assert sparse == [round(scale * side) for side in sides]
    full = masks.counts([first, second, head], 0.2, "erdos-renyi-kernel")
    assert full[0] == 72 and full[2] == 320 and full[1] == round(0.2 * 5000) - 72 - 320


def test_a_random_mask_follows_torchs_random_state() -> None:
    weights = [torch.randn(8, 4, 3, 3), torch.randn(10, 8)]
    torch.manual_seed(3)
    first = masks.random(weights, 0.3, "uniform")
    torch.manual_seed(3)
    again = masks.random(weights, 0.3, "uniform")
    other = masks.random(weights, 0.3, "uniform")
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert not any(torch.equal(one, drawn) for one, drawn in zip(first, other, strict=True))
    assert [int(kept.sum()) for kept in first] == masks.counts([one.shape for one in weights], 0.3, "uniform")
