"""Tables: the weights of a program that are not zero, each with how far it reads from the one before it."""

from __future__ import annotations

import dataclasses

import numpy as np

from gnap_search.errors import UserError
from gnap_search.export._memory import Layout, Phases
from gnap_search.export._program import Convolution, Linear


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """For each output, in their order: `counts` weights, float32, and how far on each of them reads.

    The first of an output steps from the beginning of the source.
    """

    counts: np.ndarray
    steps: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, outputs: np.ndarray, places: np.ndarray, number: int) -> Table:
        """Weights with the output that each belongs to, these ascending, and the place that each reads."""
        order = np.lexsort((places, outputs))
        outputs, places = outputs[order], places[order]
        first = np.append(True, np.diff(outputs) != 0)[: len(outputs)]
        steps = np.where(first, places, np.diff(places, prepend=0))
        return cls(np.bincount(outputs, minlength=number), steps, weights[order])

    def within(self, most: int) -> Table:
        """The same with no step above `most`: longer ones are taken in several, by weights of zero."""
        extra = np.maximum(0, self.steps - 1) // most
        ends = np.cumsum(extra + 1) - 1
        steps = np.full(ends[-1] + 1 if len(ends) else 0, most)
        weights = np.zeros(len(steps), np.float32)
        steps[ends], weights[ends] = self.steps - extra * most, self.weights
        outputs = np.repeat(np.arange(len(self.counts)), self.counts)
        added = np.bincount(outputs, weights=extra, minlength=len(self.counts)).astype(int)
        return Table(self.counts + added, steps, weights)


def of_linear(step: Linear, source: Layout) -> Table:
    """Each weight reads one number of the source."""
    places = np.array([source.place(index) for index in range(step.weight.shape[1])])
    outputs, inputs = np.nonzero(step.weight)
    return Table.of(step.weight[outputs, inputs], outputs, places[inputs], len(step.weight))


def of_convolution(step: Convolution, source: Layout, phases: Phases | None) -> Table:
    """Each weight reads the stretch that begins at its place, in the source or in its phases.

    Raises:
        UserError: the convolution is wider than what a row of the source leaves between its ends.
    """
    outputs, inputs, lines, columns = np.nonzero(step.weight)
    group = len(step.weight) // step.groups
    channels = inputs + outputs // group * step.weight.shape[1]
    down, right = lines * step.dilation[0], columns * step.dilation[1]
    if phases is None:
        begin = source.begin - step.padding[0] * source.row - step.padding[1]
        places = begin + channels * source.plane + down * source.row + right
        row = source.row
    else:
        order = {phase: index for index, phase in enumerate(phases.used)}
        (by_line, by_column), layout = step.stride, phases.layout
        met = zip((down % by_line).tolist(), (right % by_column).tolist(), strict=True)
        which = np.array([order[phase] for phase in met], np.int64)
        places = (channels * len(order) + which) * layout.plane
        places = places + down // by_line * layout.row + right // by_column
        row = layout.row
    if step.summed[2] > row:
        raise UserError(
            "The format 'c' does not know convolutions whose padding makes an image wider than the kernel "
            "makes it narrower: export the network as onnx."
        )
    return Table.of(step.weight[outputs, inputs, lines, columns], outputs, places, len(step.weight))
