"""Residual: the residual networks of papers on CIFAR at their full widths, whose parameters are well known.

The channels of a stage's stream are one group, `stage1`. The inner channels of each block are another,
`inner1_2`, or two, `inner1_2_1` and `inner1_2_2`, where a block has three convolutions. The first block of
every later stage halves the image. A block with inner widths of 0 is its shortcut alone.

Every norm has a gain here, also where a ReLU follows and could do without: so the counts are the published
ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.networks import _stem
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A stem, stages of `blocks` residual blocks each, and a linear head on the pooled last stream.

    `streams` are the full widths of the stages. A block has a convolution for each of `kernels`, the last of
    which has `expansion` times as many channels as the others. `stem` is the stem's width where it is a group
    of its own and does not begin the first stream; `plain_shortcuts` are convolutions without a norm.
    """

    streams: tuple[int, ...]
    blocks: int
    kernels: tuple[int, ...] = (3, 3)
    expansion: int = 1
    stem: int | None = None
    plain_shortcuts: bool = False

    @property
    def optional(self) -> tuple[tuple[str, ...], ...]:
        """The blocks that may be left out, each by its inner groups."""
        return tuple(
            self.inner(stage, block)
            for stage in range(1, len(self.streams) + 1)
            for block in range(1, self.blocks + 1)
        )

    def inner(self, stage: int, block: int) -> tuple[str, ...]:
        """The groups between the convolutions of a block."""
        name, count = f"inner{stage}_{block}", len(self.kernels) - 1
        return (name,) if count == 1 else tuple(f"{name}_{place}" for place in range(1, count + 1))

    def seed_widths(self, shape: Shape, scale: float) -> dict[str, int]:
        """The full widths, each multiplied by `scale`; the same for all images."""
        del shape
        full = {} if self.stem is None else {"stem": self.stem}
        for stage, stream in enumerate(self.streams, 1):
            full[f"stage{stage}"] = stream
            for block in range(1, self.blocks + 1):
                full |= dict.fromkeys(self.inner(stage, block), stream // self.expansion)
        return {group: max(1, round(width * scale)) for group, width in full.items()}

    def build(self, widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
        """A freshly initialised network."""
        return ResidualNetwork(self, widths, shape, classes)


class Block(nn.Module):
    """`relu(shortcut(x) + residual(x))`; without a shortcut it is x itself, without a residual nothing."""

    def __init__(self, shortcut: nn.Module | None, residual: nn.Module | None) -> None:
        super().__init__()
        self.shortcut, self.residual = shortcut, residual

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = inputs if self.shortcut is None else self.shortcut(inputs)
        return functional.relu(outputs if self.residual is None else outputs + self.residual(inputs))


class ResidualNetwork(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(
        self, architecture: Architecture, widths: Mapping[str, int], shape: Shape, classes: int
    ) -> None:
        super().__init__()
        stages = range(1, len(architecture.streams) + 1)
        entry = "stage1" if architecture.stem is None else "stem"
        self.stem = _stem.stem(shape, widths[entry], gain=True)
        self.blocks = nn.ModuleDict()
        for stage in stages:
            for block in range(1, architecture.blocks + 1):
                source, entry = widths[entry], f"stage{stage}"
                enters = block == 1 and (stage > 1 or architecture.stem is not None)
                self.blocks[f"block{stage}_{block}"] = _block(
                    architecture,
                    [source, *(widths[group] for group in architecture.inner(stage, block)), widths[entry]],
                    stride=2 if block == 1 and stage > 1 else 1,
                    enters=enters,
                )
        self.head = nn.Linear(widths[entry], classes)

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = self.stem(images)
        for block in self.blocks.values():
            values = block(values)
        logits: Tensor = self.head(values.mean((2, 3)))
        return logits


def _block(architecture: Architecture, channels: Sequence[int], *, stride: int, enters: bool) -> Block:
    """A block through so many channels; it `enters` where its stream begins, which takes a projection."""
    residual = _residual(architecture.kernels, channels, stride) if all(channels[1:-1]) else None
    if not enters:
        return Block(None, residual)
    projection = convolution(channels[0], channels[-1], kernel=1, stride=stride)
    if architecture.plain_shortcuts:
        return Block(projection, residual)
    return Block(Unit(projection, activate=False, gain=True), residual)


def _residual(kernels: Sequence[int], channels: Sequence[int], stride: int) -> nn.Sequential:
    """Convolutions with norms, the first large one with the stride; the sum comes before the last ReLU."""
    halving = next(place for place, kernel in enumerate(kernels) if kernel > 1)
    return nn.Sequential(
        *(
            Unit(
                convolution(
                    channels[place],
                    channels[place + 1],
                    kernel=kernel,
                    stride=stride if place == halving else 1,
                ),
                activate=place < len(kernels) - 1,
                gain=True,
            )
            for place, kernel in enumerate(kernels)
        )
    )
