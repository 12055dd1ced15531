"""A 1x1 convolution with a stride: what it skips beforehand in training, it would have skipped anyway."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gnap_search.structure.layers import convolution


@pytest.mark.parametrize("channels", [1, 3, 4, 7, 8, 12])
@pytest.mark.parametrize("side", [7, 8])
def test_values_and_gradients_are_those_of_the_strided_convolution(channels: int, side: int) -> None:
    """Again and again, because a write past the memory's end is not noticed at once."""
    for _ in range(20):
        layer = convolution(channels, 6, kernel=1, stride=2).to(memory_format=torch.channels_last)
        images = torch.randn(16, channels, side, side).contiguous(memory_format=torch.channels_last)
        images.requires_grad_()
        layer(images).square().sum().backward()
        exact, weight = (value.detach().double().requires_grad_() for value in (images, layer.weight))
        outputs = functional.conv2d(exact, weight, stride=2)
        outputs.square().sum().backward()
        for found, expected in (
            (layer(images), outputs),
            (layer.eval()(images), outputs),
            (images.grad, exact.grad),
            (layer.weight.grad, weight.grad),
        ):
            torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)
