"""MobileNet, CIFAR style: three stages of three inverted residual blocks, identities at inner width 0.

After M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv 1801.04381: a 1x1
convolution expands a narrow stream, a depth-wise one filters each channel by itself, another 1x1 one
projects back, and no ReLU follows the sum. So few weights join many channels over large neighbourhoods.

Filters are 3x3 on the large maps of the first stage and 5x5 after it, where they take less time and soon
reach over the whole image. Deviations: channels are expanded by 2 only and streams widen slowly, because
here weights are scarcer than steps; a block that halves the image has a shortcut, a 1x1 convolution, so
that it may vanish as well; and what is pooled in the end is the stream behind a ReLU, not one more
convolution.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.networks import _stages
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution, depthwise

KERNELS = (3, 5, 5)  # of the depth-wise convolutions in each stage
SEED, GROWTH = 8, 1.5  # channels of the first stage's stream, and how many times as many each later one has
BLOCKS, EXPANSION = 3, 2
OPTIONAL = _stages.optional(len(KERNELS), BLOCKS)


class InvertedResidual(nn.Module):
    """`shortcut(x) + f(x)` with f expanding, filtering and projecting; it is left out at inner width 0."""

    def __init__(self, inputs: int, inner: int, outputs: int, *, stride: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = _stages.shortcut(inputs, outputs, stride=stride)
        self.residual = None
        if inner:
            expand = Unit(convolution(inputs, inner, kernel=1))
            filters = Unit(depthwise(inner, kernel=kernel, stride=stride))
            project = Unit(convolution(inner, outputs, kernel=1), activate=False, gain=True)
            self.residual = nn.Sequential(expand, filters, project)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = inputs if self.shortcut is None else self.shortcut(inputs)
        return outputs if self.residual is None else outputs + self.residual(inputs)


class MobileNet(_stages.Stages):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        makers = [functools.partial(InvertedResidual, kernel=kernel) for kernel in KERNELS]
        super().__init__(widths, shape, classes, makers, BLOCKS)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.stream(images))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    return _stages.widths([SEED * scale * GROWTH**stage for stage in range(len(KERNELS))], BLOCKS, EXPANSION)


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return MobileNet(widths, shape, classes)
