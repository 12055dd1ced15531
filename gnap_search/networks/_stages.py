"""Stages: what residual networks in CIFAR style have in common: a stem, stages of blocks, a linear head.

The channels of a stage's stream are one group, `stage1`, and the inner channels of each block another,
`inner1_2`, say. The first block of every later stage halves the image. A block of inner width 0 is its
shortcut alone.

These networks are made to begin small. Those of papers, in `_residual.py`, have a gain in every norm, and
their blocks other parts, drawn in another order: as one they would break model files and repeated trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from gnap_search.networks import _stem
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution


class MakeBlock(Protocol):
    """A residual block from a stream of some channels to one of others, with inner channels between."""

    def __call__(self, inputs: int, inner: int, outputs: int, *, stride: int) -> nn.Module: ...


class Stages(nn.Module):
    """The stem, the blocks in their order, and the head, which reads the last stage's stream, pooled.

    There is a maker of blocks for each stage, and `blocks` of them in every stage.
    """

    def __init__(
        self, widths: Mapping[str, int], shape: Shape, classes: int, makers: Sequence[MakeBlock], blocks: int
    ) -> None:
        super().__init__()
        self.stem = _stem.stem(shape, widths["stage1"])
        self.blocks = nn.ModuleDict()
        for stage, make in enumerate(makers, 1):
            for block in range(1, blocks + 1):
                enters = stage > 1 and block == 1
                self.blocks[f"block{stage}_{block}"] = make(
                    widths[f"stage{stage - 1}" if enters else f"stage{stage}"],
                    widths[f"inner{stage}_{block}"],
                    widths[f"stage{stage}"],
                    stride=2 if enters else 1,
                )
        self.head = nn.Linear(widths[f"stage{len(makers)}"], classes)

    def stream(self, images: Tensor) -> Tensor:
        """What the last block gives: N x C x H x W -> N x channels x height x width."""
        values: Tensor = self.stem(images)
        for block in self.blocks.values():
            values = block(values)
        return values


def shortcut(inputs: int, outputs: int, *, stride: int) -> Unit | None:
    """None, an identity, within a stage; a 1x1 convolution where one is entered (option B of ResNet)."""
    if stride == 1:
        return None
    return Unit(convolution(inputs, outputs, kernel=1, stride=stride), activate=False, gain=True)


def widths(streams: Sequence[float], blocks: int, expansion: float = 1) -> dict[str, int]:
    """The widths of all groups; a block has `expansion` times as many inner channels as its stream."""
    rounded: dict[str, int] = {}
    for stage, stream in enumerate(streams, 1):
        inner = max(1, round(stream * expansion))
        rounded[f"stage{stage}"] = max(1, round(stream))
        rounded |= {f"inner{stage}_{block}": inner for block in range(1, blocks + 1)}
    return rounded


def optional(stages: int, blocks: int) -> tuple[tuple[str, ...], ...]:
    """The blocks that may be left out, each by its one inner group."""
    return tuple((group,) for group in widths([1] * stages, blocks) if group.startswith("inner"))
