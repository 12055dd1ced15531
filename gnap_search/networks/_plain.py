"""Plain: what `plain-cnn` and `grid-cnn` have in common, five 3x3 convolutions with pooling steps.

The larger the images, the earlier and the more often they are pooled, so that the last maps stay small:
on MNIST pooling right behind the first convolution halves the cost of a step and was no worse, on 8x8
digits it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

SEED = {"conv1": 6, "conv2": 12, "conv3": 12, "conv4": 12, "conv5": 18}
LAST = "conv5"


def units(widths: Mapping[str, int], shape: Shape) -> nn.ModuleDict:
    """The convolutions, to be applied one after the other."""
    inputs = [shape[0], *(widths[name] for name in SEED)]
    return nn.ModuleDict(
        {
            name: Unit(convolution(inputs[index], widths[name]), pool=pool)
            for index, (name, pool) in enumerate(zip(SEED, pools(shape), strict=True))
        }
    )


def maps(convolutions: nn.ModuleDict, images: Tensor) -> Tensor:
    """N x C x H x W -> the last convolution's maps."""
    for unit in convolutions.values():
        images = unit(images)
    return images


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return {name: max(1, round(width * scale)) for name, width in SEED.items()}


def reduction(shape: Shape) -> int:
    """By how much the last maps are smaller than the images, in each direction."""
    return math.prod(pools(shape))


def pools(shape: Shape) -> tuple[int, ...]:
    """By how much each convolution's maps are pooled."""
    side = min(shape[1:])
    if side <= 16:
        return 1, 2, 1, 2, 1
    return (2, 2 if side > 40 else 1, 2, 2 if side > 80 else 1, 2 if side > 160 else 1)
