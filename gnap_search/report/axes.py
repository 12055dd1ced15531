"""Axes: the part of the plane in which a front is worth drawing, in a terminal and in a paper."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from gnap_search.front import Front, decades
from gnap_search.results import Point


@dataclasses.dataclass(frozen=True)
class Axes:
    """Limits of log10(parameters) across and of accuracy upwards."""

    left: float
    right: float
    bottom: float
    top: float


def around(front: Sequence[Point]) -> Axes:
    """Axes for a front that is not empty.

    Tiny networks near chance would squeeze everything of interest into the upper edge. So accuracy starts
    where the error is six times the best point's, or lower where that would hide over two fifths of them, or
    the knee.
    """
    scores = [point.validation_accuracy for point in front]
    best = scores[-1]
    knee = Front(front).knee().validation_accuracy
    floor = max(min(1 - 6 * (1 - best), scores[2 * len(scores) // 5], knee), scores[0])
    height = max(best - floor, 0.005)
    bottom, top = max(0.0, floor - 0.08 * height), min(1.0, best + 0.1 * height)
    shown = [point for point in front if point.validation_accuracy >= bottom]
    sizes = [decades(point, "parameters") for point in shown]
    width = sizes[-1] - sizes[0]
    margin = max(0.06 * width, (0.7 - width) / 2)
    return Axes(sizes[0] - margin, sizes[-1] + margin, bottom, top)


def size_ticks(axes: Axes) -> list[int]:
    """Round numbers of parameters within the axes: 1, 2 and 5 times powers of ten, or those powers alone."""
    wide = axes.right - axes.left > 2.2
    steps = (1,) if wide else (1, 2, 5)
    powers = range(math.floor(axes.left), math.ceil(axes.right) + 1)
    ticks = [step * 10**power for power in powers if power >= 0 for step in steps]
    return [tick for tick in ticks if axes.left <= math.log10(tick) <= axes.right]


def accuracy_ticks(axes: Axes, most: int) -> list[float]:
    """Round accuracies within the axes, at most `most` of them."""
    for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        first, last = math.ceil(axes.bottom / step - 1e-9), math.floor(axes.top / step + 1e-9)
        if last - first < most:
            return [round(index * step, 6) for index in range(first, last + 1)]
    return []


def tick_label(parameters: int) -> str:
    """A size tick in few characters: `500`, `2k`, `1M`."""
    for size, prefix in ((10**6, "M"), (10**3, "k")):
        if parameters >= size:
            return f"{parameters // size}{prefix}"
    return str(parameters)
