"""Tables: the weights of a program that are not zero, each with the place that it reads."""

from __future__ import annotations

import dataclasses

import numpy as np

from gnap_search.errors import UserError
from gnap_search.export._memory import Layout, Phases
from gnap_search.export._program import Convolution, Linear


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """For each output, in their order: `counts` weights, float32, and the places that they read."""

    counts: np.ndarray
    places: np.ndarray
    weights: np.ndarray


def of_linear(step: Linear, source: Layout) -> Table:
    """Each weight reads one number of the source."""
    places = np.array([source.place(index) for index in range(step.weight.shape[1])])
    outputs, inputs = np.nonzero(step.weight)
    counts = np.count_nonzero(step.weight, axis=1)
    return Table(counts, places[inputs], step.weight[outputs, inputs])


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
        which = np.array(
            [order[line % by_line, column % by_column] for line, column in zip(down, right, strict=True)],
            np.int64,
        )
        places = (channels * len(order) + which) * layout.plane
        places = places + down // by_line * layout.row + right // by_column
        row = layout.row
    if step.summed[2] > row:
        raise UserError(
            "The format 'c' does not know convolutions whose padding makes an image wider than the kernel "
            "makes it narrower: export the network as onnx."
        )
    counts = np.count_nonzero(step.weight.reshape(len(step.weight), -1), axis=1)
    return Table(counts, places, step.weight[outputs, inputs, lines, columns])
