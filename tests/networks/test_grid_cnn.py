"""Grid CNN: which part of an image each weight of its head sees."""

from __future__ import annotations

import pytest
import torch

from gnap_search.networks import grid_cnn
from gnap_search.structure import Shape


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        ((1, 8, 8), (2, 2)),  # the last maps have no more than 2 x 2 pixels
        ((1, 9, 12), (2, 3)),
        ((1, 28, 28), (3, 3)),
        ((3, 32, 32), (3, 3)),
        ((3, 90, 200), (3, 3)),
    ],
)
def test_the_fields_cover_the_last_maps_from_edge_to_edge(shape: Shape, fields: tuple[int, int]) -> None:
    network = grid_cnn.GridCNN(grid_cnn.seed_widths(shape, 1.0), shape, 10)
    network.eval()
    assert tuple(network.head.weight.shape[2:]) == fields
    maps = []
    network.units["conv5"].register_forward_hook(lambda _module, _inputs, outputs: maps.append(outputs))
    network(torch.zeros(1, *shape))
    for side, count, window, stride in zip(
        maps[0].shape[2:], fields, network.window, network.stride, strict=True
    ):
        assert (count - 1) * stride + window == side
        assert stride <= window, "no pixel lies between two fields"


def test_each_weight_of_the_head_sees_its_own_field() -> None:
    network = grid_cnn.GridCNN(grid_cnn.seed_widths((1, 28, 28), 1.0), (1, 28, 28), 10)
    seen: list[torch.Tensor] = []
    network.units["conv5"].register_forward_hook(lambda _module, _inputs, outputs: seen.append(outputs))
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.weight[:, :, 0, 2] = 1  # above and at the right
    (gradient,) = torch.autograd.grad(network(torch.rand(2, 1, 28, 28)).sum(), seen)
    assert gradient[..., :3, 4:].min() > 0
    assert gradient[..., 3:, :].abs().max() == gradient[..., :4].abs().max() == 0
