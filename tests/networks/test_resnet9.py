"""ResNet-9: its maps, its blocks, and how large it is."""

from __future__ import annotations

import pytest
import torch

from gnap_search.networks import resnet9
from gnap_search.structure import Shape, cost

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(("shape", "side"), [((1, 8, 8), 2), ((1, 28, 28), 3), (SHAPE, 4), ((3, 64, 64), 4)])
def test_its_last_maps_are_small_and_yet_more_than_a_pixel(shape: Shape, side: int) -> None:
    network, seen = resnet9.build(resnet9.seed_widths(shape, 1), shape, 10), []
    network.get_submodule("layer3").register_forward_hook(lambda *call: seen.append(call[2].shape[2:]))
    network(torch.rand(2, *shape))
    assert seen == [(side, side)]


def test_without_its_blocks_it_is_a_chain_of_four_convolutions() -> None:
    widths = resnet9.seed_widths(SHAPE, 1) | {group: 0 for block in resnet9.OPTIONAL for group in block}
    counted = cost.count(resnet9.build(widths, SHAPE, 10), SHAPE)
    assert counted.weights == 9 * (3 * 6 + 6 * 12 + 12 * 24 + 24 * 48) + 48 * 10


def test_as_wide_as_the_published_one_it_is_as_large() -> None:
    network = resnet9.build(resnet9.seed_widths(SHAPE, 64 / 6), SHAPE, 10)
    convolutions = 9 * (3 * 64 + 64 * 128 + 2 * 128**2 + 128 * 256 + 256 * 512 + 2 * 512**2)
    assert cost.count(network, SHAPE).weights == convolutions + 512 * 10
