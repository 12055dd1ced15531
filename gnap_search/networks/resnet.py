"""ResNet, CIFAR style: three stages of two residual blocks; a block of inner width 0 is an identity.

After K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, section 4.2, with
projection shortcuts (option B) where a stage halves the image. The channels of a stage's stream are one
group, the inner channels of each block another.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

STAGES, BLOCKS = (1, 2, 3), (1, 2)
SEED = 6  # channels of the first stage; each later stage has twice as many
OPTIONAL = frozenset(f"inner{stage}_{block}" for stage in STAGES for block in BLOCKS)


class Block(nn.Module):
    """`relu(shortcut(x) + f(x))` with two 3x3 convolutions in f, which is left out at inner width 0."""

    def __init__(self, inputs: int, inner: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.shortcut = (
            None
            if stride == 1
            else Unit(convolution(inputs, outputs, kernel=1, stride=stride), activate=False, gain=True)
        )
        self.first = Unit(convolution(inputs, inner, stride=stride)) if inner else None
        self.second = Unit(convolution(inner, outputs), activate=False, gain=True) if inner else None

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = inputs if self.shortcut is None else self.shortcut(inputs)
        if self.first is not None and self.second is not None:
            outputs = outputs + self.second(self.first(inputs))
        return functional.relu(outputs)


class ResNet(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        self.stem = Unit(convolution(shape[0], widths["stage1"], stride=2 if min(shape[1:]) > 40 else 1))
        blocks = {}
        for stage in STAGES:
            for block in BLOCKS:
                enters = stage > 1 and block == 1
                blocks[f"block{stage}_{block}"] = Block(
                    widths[f"stage{stage - 1}" if enters else f"stage{stage}"],
                    widths[f"inner{stage}_{block}"],
                    widths[f"stage{stage}"],
                    stride=2 if enters else 1,
                )
        self.blocks = nn.ModuleDict(blocks)
        self.head = nn.Linear(widths[f"stage{STAGES[-1]}"], classes)

    def forward(self, images: Tensor) -> Tensor:
        values = self.stem(images)
        for block in self.blocks.values():
            values = block(values)
        logits: Tensor = self.head(values.mean((2, 3)))
        return logits


def seed_widths(shape: Shape, scale: float) -> dict[str, int]:
    """The starting widths; `scale` multiplies each."""
    del shape  # the same widths suit all images
    widths: dict[str, int] = {}
    for stage in STAGES:
        width = max(1, round(SEED * scale * 2 ** (stage - 1)))
        widths |= {f"stage{stage}": width, **{f"inner{stage}_{block}": width for block in BLOCKS}}
    return widths


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return ResNet(widths, shape, classes)
