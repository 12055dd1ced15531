"""ResNet-9 style: a stem, three convolutions that pool, and a residual block behind the first and the third.

After D. Page, How to Train Your ResNet, 2018 (https://github.com/davidcpage/cifar10-fast), whose own starts
with 64 channels and is the usual network for training on CIFAR-10 in minutes. The residual blocks are those
of `resnet`, with the ReLU behind the sum, so that a block of inner width 0 is an identity. The last maps are
averaged. Images of at most 16 pixels are pooled twice, not three times.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from gnap_search.networks.resnet import Block
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

SEED = {"stem": 6, "layer1": 12, "residual1": 12, "layer2": 24, "layer3": 48, "residual3": 48}
OPTIONAL = (("residual1",), ("residual3",))


class ResNet9(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        side = min(shape[1:])
        stem, layer1, layer2, layer3 = (widths[name] for name in ("stem", "layer1", "layer2", "layer3"))
        self.stem = Unit(convolution(shape[0], stem, stride=2 if side > 40 else 1))
        self.layer1 = Unit(convolution(stem, layer1), pool=2 if side > 16 else 1)
        self.residual1 = Block(layer1, widths["residual1"], layer1, stride=1)
        self.layer2 = Unit(convolution(layer1, layer2), pool=2)
        self.layer3 = Unit(convolution(layer2, layer3), pool=2)
        self.residual3 = Block(layer3, widths["residual3"], layer3, stride=1)
        self.head = nn.Linear(layer3, classes)

    def forward(self, images: Tensor) -> Tensor:
        values = self.residual1(self.layer1(self.stem(images)))
        values = self.residual3(self.layer3(self.layer2(values)))
        logits: Tensor = self.head(values.mean((2, 3)))
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return {name: max(1, round(width * scale)) for name, width in SEED.items()}


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return ResNet9(widths, shape, classes)
