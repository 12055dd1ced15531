"""MobileNet: what its blocks compute, and how large it is."""

from __future__ import annotations

import pytest
import torch

from gnap_search.networks import mobilenet
from gnap_search.networks.mobilenet import InvertedResidual
from gnap_search.structure import cost

SHAPE = (3, 32, 32)


def test_a_block_of_width_zero_is_an_identity_within_a_stage() -> None:
    images = torch.randn(2, 6, 8, 8)
    block = InvertedResidual(6, 0, 6, stride=1, kernel=3)
    assert torch.equal(block(images), images)
    assert not list(block.parameters())


def test_a_block_adds_to_its_stream_what_its_filters_find() -> None:
    block = InvertedResidual(6, 12, 6, stride=1, kernel=5).eval()
    _, filters, _ = block.residual
    assert filters.linear.weight.shape == (12, 1, 5, 5)
    images = torch.randn(2, 6, 8, 8)
    added = block(images) - images
    assert added.min() < 0 < added.max()  # no ReLU follows the projection
    with torch.no_grad():
        filters.linear.weight.zero_()
    assert torch.equal(block(images), images)


@pytest.mark.parametrize(("scale", "least", "most"), [(1, 1e4, 1.5e4), (3, 6e4, 9e4), (4, 1e5, 1.4e5)])
def test_its_sizes_are_those_of_small_networks_for_photographs(
    scale: float, least: float, most: float
) -> None:
    network = mobilenet.build(mobilenet.seed_widths(SHAPE, scale), SHAPE, 10)
    assert least <= cost.count(network, SHAPE).parameters <= most
