"""Memory: where the values of a program lie while it runs, each in one block of floats that others reuse.

A value lies plane by plane, row by row, with zeros around it as far as convolutions look over its edges. The
zeros on the right of a row are those on the left of the next, and the zeros below a plane those above the
next. So the place that a weight reads lies equally far from each place that it adds to, and a convolution is
a few additions of long stretches of memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from gnap_search.export._program import IMAGE, Convolution, Program, Size, Step


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a value lies in its block: its size, and the rows and columns of zeros on each side of a plane."""

    size: Size
    above: int = 0
    beside: int = 0

    @property
    def row(self) -> int:
        """From a number to the one below it."""
        return self.size[2] + self.beside

    @property
    def plane(self) -> int:
        """From a number to the same one of the next channel."""
        return (self.size[1] + self.above) * self.row

    @property
    def begin(self) -> int:
        """Where the first number lies."""
        return self.above * self.row + self.beside

    @property
    def floats(self) -> int:
        """The length of the block."""
        return self.size[0] * self.plane + self.begin

    @property
    def padded(self) -> bool:
        """Whether there are zeros around it."""
        return self.floats > self.size[0] * self.size[1] * self.size[2]

    def place(self, index: int) -> int:
        """Where the number lies that is so far from the first when all are flattened."""
        channel, inside = divmod(index, self.size[1] * self.size[2])
        line, column = divmod(inside, self.size[2])
        return self.begin + channel * self.plane + line * self.row + column


@dataclasses.dataclass(frozen=True)
class Phases:
    """How a convolution with a stride sees its source: every second row and column, say, is a plane.

    `used` are the phases that the kernel meets, row and column; a channel has a plane for each of them.
    """

    used: tuple[tuple[int, int], ...]
    layout: Layout

    @classmethod
    def of(cls, step: Convolution, source: Size) -> Phases:
        """Those of a convolution."""
        kernel = step.weight.shape[2:]
        meets = [
            sorted({tap * dilation % stride for tap in range(taps)})
            for taps, dilation, stride in zip(kernel, step.dilation, step.stride, strict=True)
        ]
        used = tuple((line, column) for line in meets[0] for column in meets[1])
        sides = [
            -(-(side + 2 * padding) // stride)
            for side, padding, stride in zip(source[1:], step.padding, step.stride, strict=True)
        ]
        return cls(used, Layout((source[0] * len(used), sides[0], sides[1])))


@dataclasses.dataclass(frozen=True)
class Plan:
    """Where everything lies: each value's layout and the start of its block, and the floats in all.

    `phases` and `phase_starts` belong to the results of convolutions with a stride.
    """

    layouts: Mapping[int, Layout]
    starts: Mapping[int, int]
    phases: Mapping[int, Phases]
    phase_starts: Mapping[int, int]
    floats: int


def plan(program: Program) -> Plan:
    """Lay out all values, so that each lies undisturbed from where it is made to where it is last read."""
    sizes = program.sizes
    layouts = {
        number: _layout(size, _readers(program.steps, number))
        for number, size in sizes.items()
        if number != IMAGE
    }
    phases = {
        step.result: Phases.of(step, sizes[step.sources[0]])
        for step in program.steps
        if isinstance(step, Convolution) and step.stride != (1, 1)
    }
    blocks = []
    for moment, step in enumerate(program.steps):
        readers = [later for later, one in enumerate(program.steps) if step.result in one.sources]
        blocks.append(_Block(moment, max(readers, default=len(program.steps)), layouts[step.result].floats))
    parted = list(phases)
    for moment, step in enumerate(program.steps):
        if step.result in phases:
            blocks.append(_Block(moment, moment, phases[step.result].layout.floats))
    starts = _starts(blocks)
    values = [step.result for step in program.steps]
    floats = max(start + block.floats for start, block in zip(starts, blocks, strict=True))
    return Plan(
        layouts,
        dict(zip(values, starts, strict=False)),
        phases,
        dict(zip(parted, starts[len(values) :], strict=True)),
        floats,
    )


@dataclasses.dataclass(frozen=True)
class _Block:
    """So many floats from one step to another, both included."""

    first: int
    last: int
    floats: int

    def meets(self, other: _Block) -> bool:
        return self.first <= other.last and other.first <= self.last


def _starts(blocks: Sequence[_Block]) -> list[int]:
    """A start for every block, the lowest that is free all its time; large blocks choose first."""
    starts: dict[int, int] = {}
    for index in sorted(range(len(blocks)), key=lambda index: -blocks[index].floats):
        taken = sorted(
            (start, start + blocks[other].floats)
            for other, start in starts.items()
            if blocks[other].meets(blocks[index])
        )
        start = 0
        for begin, end in taken:
            if start + blocks[index].floats <= begin:
                break
            start = max(start, end)
        starts[index] = start
    return [starts[index] for index in range(len(blocks))]


def _readers(steps: Iterable[Step], number: int) -> list[Step]:
    return [step for step in steps if step.sources[:1] == (number,)]


def _layout(size: Size, readers: Sequence[Step]) -> Layout:
    """With as many zeros as any of its readers looks over an edge."""
    looks = [step.padding for step in readers if isinstance(step, Convolution) and step.stride == (1, 1)]
    above, beside = (max((look[axis] for look in looks), default=0) for axis in (0, 1))
    return Layout(size, above, beside)
