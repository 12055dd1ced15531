"""VGG: 3x3 convolutions in five blocks, each ending with max-pooling, and two fully connected layers.

After K. Simonyan and A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, arXiv
1409.1556, as it is used on CIFAR: a norm behind every layer, and one hidden fully connected layer of 512
units instead of two of 4,096. Each layer's channels are a group.

So that the counts are those of papers, norms have a gain, which max-pooling has to wait for, and the layers
before them a bias, which the norm takes away again. Images too small to be halved five times are halved while
they have two pixels or more; what is left is averaged before the fully connected layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

WIDTHS = (64, 128, 256, 512, 512)  # channels in each block
HIDDEN = "hidden", 512  # the fully connected layer


@dataclasses.dataclass(frozen=True)
class Architecture:
    """`depths` are the numbers of convolutions in each block."""

    depths: tuple[int, ...]

    def full_widths(self) -> dict[str, int]:
        """The groups in their order, and their widths in papers."""
        return {
            f"conv{block}_{place}": width
            for block, (depth, width) in enumerate(zip(self.depths, WIDTHS, strict=True), 1)
            for place in range(1, depth + 1)
        } | dict([HIDDEN])

    def seed_widths(self, shape: Shape, scale: float) -> dict[str, int]:
        """The full widths, each multiplied by `scale`; the same for all images."""
        del shape
        return {group: max(1, round(width * scale)) for group, width in self.full_widths().items()}

    def build(self, widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
        """A freshly initialised network."""
        return VGG(self, widths, shape, classes)


class VGG(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(
        self, architecture: Architecture, widths: Mapping[str, int], shape: Shape, classes: int
    ) -> None:
        super().__init__()
        hidden, _ = HIDDEN
        groups = list(architecture.full_widths())
        inputs = [shape[0], *(widths[group] for group in groups)]
        self.units = nn.ModuleDict(
            {
                group: Unit(convolution(source, widths[group], bias=True), gain=True)
                for group, source in zip(groups, inputs, strict=False)
                if group != hidden
            }
        )
        self.ends = frozenset(f"conv{block}_{depth}" for block, depth in enumerate(architecture.depths, 1))
        self.hidden = Unit(nn.Linear(inputs[-2], widths[hidden]), gain=True)
        self.head = nn.Linear(widths[hidden], classes)

    def forward(self, images: Tensor) -> Tensor:
        for group, unit in self.units.items():
            images = unit(images)
            if group in self.ends and min(images.shape[2:]) > 1:
                images = functional.max_pool2d(images, 2)
        logits: Tensor = self.head(self.hidden(images.mean((2, 3))))
        return logits
