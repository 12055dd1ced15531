"""MLP: three fully connected layers and a linear head, for images small enough to be read as one vector."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit

SEED = {"layer1": 32, "layer2": 24, "layer3": 16}


class MLP(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        inputs = [channels * height * width, *(widths[name] for name in SEED)]
        self.units = nn.ModuleDict(
            {
                name: Unit(nn.Linear(inputs[index], widths[name], bias=False))
                for index, name in enumerate(SEED)
            }
        )
        self.head = nn.Linear(inputs[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        values = images.flatten(1)
        for unit in self.units.values():
            values = unit(values)
        logits: Tensor = self.head(values)
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return {name: max(1, round(width * scale)) for name, width in SEED.items()}


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return MLP(widths, shape, classes)
