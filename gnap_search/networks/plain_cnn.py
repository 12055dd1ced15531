"""Plain CNN: five 3x3 convolutions, two pooling steps, global average pooling and a linear head.

The larger the images, the earlier and the more often they are pooled, so that the last maps stay small:
on MNIST pooling right behind the first convolution halves the cost of a step and was no worse, on 8x8
digits it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

SEED = {"conv1": 6, "conv2": 12, "conv3": 12, "conv4": 12, "conv5": 18}


class PlainCNN(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        inputs = [shape[0], *(widths[name] for name in SEED)]
        self.units = nn.ModuleDict(
            {
                name: Unit(convolution(inputs[index], widths[name]), pool=pool)
                for index, (name, pool) in enumerate(zip(SEED, _pools(shape), strict=True))
            }
        )
        self.head = nn.Linear(inputs[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        for unit in self.units.values():
            images = unit(images)
        logits: Tensor = self.head(images.mean((2, 3)))
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return {name: max(1, round(width * scale)) for name, width in SEED.items()}


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return PlainCNN(widths, shape, classes)


def _pools(shape: Shape) -> tuple[int, ...]:
    side = min(shape[1:])
    if side <= 16:
        return 1, 2, 1, 2, 1
    return (2, 2 if side > 40 else 1, 2, 2 if side > 80 else 1, 2 if side > 160 else 1)
