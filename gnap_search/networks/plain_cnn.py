"""Plain CNN: five 3x3 convolutions, two pooling steps or more, global average pooling and a linear head."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from gnap_search.networks import _plain
from gnap_search.networks._plain import seed_widths as seed_widths
from gnap_search.structure import Shape


class PlainCNN(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        self.units = _plain.units(widths, shape)
        self.head = nn.Linear(widths[_plain.LAST], classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(_plain.maps(self.units, images).mean((2, 3)))
        return logits


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return PlainCNN(widths, shape, classes)
