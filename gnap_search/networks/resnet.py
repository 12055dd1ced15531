"""ResNet, CIFAR style: three stages of two residual blocks; a block of inner width 0 is an identity.

After K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, section 4.2, with
projection shortcuts (option B) where a stage halves the image. The channels of a stage's stream are one
group, the inner channels of each block another.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.networks import _stages
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

STAGES, BLOCKS = 3, 2
SEED = 6  # channels of the first stage; each later stage has twice as many
OPTIONAL = _stages.optional(STAGES, BLOCKS)


class Block(nn.Module):
    """`relu(shortcut(x) + f(x))` with two 3x3 convolutions in f, which is left out at inner width 0."""

    def __init__(self, inputs: int, inner: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.shortcut = _stages.shortcut(inputs, outputs, stride=stride)
        self.first = Unit(convolution(inputs, inner, stride=stride)) if inner else None
        self.second = Unit(convolution(inner, outputs), activate=False, gain=True) if inner else None

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = inputs if self.shortcut is None else self.shortcut(inputs)
        if self.first is not None and self.second is not None:
            outputs = outputs + self.second(self.first(inputs))
        return functional.relu(outputs)


class ResNet(_stages.Stages):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__(widths, shape, classes, [Block] * STAGES, BLOCKS)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stream(images).mean((2, 3)))
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return _stages.widths([SEED * scale * 2**stage for stage in range(STAGES)], BLOCKS)


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return ResNet(widths, shape, classes)
