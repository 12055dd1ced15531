"""Halving: which trials are worth their cost, judged in accuracy and size at once.

Asynchronous successive halving (Li et al., arXiv 1810.05934) for several objectives, after Schmucker et
al., arXiv 2106.12639: at certain rungs a trial is ranked among all that have come so far, by non-dominated
layer and within a layer by spread, and a share of them goes on. Ours are the rungs, which are costs and not
epochs, so that a small network and a large one are compared where they have cost the same; that nothing is
judged right after it grew; and that whoever holds a point of the front near its own size goes on.

What it knows follows from the trials' points, so a study that goes on tells it those again.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from gnap_search.front import Front, decades
from gnap_search.results import Point

REDUCTION = 2.0  # a rung costs so many times what the one before costs
KEPT = 0.65  # the share of the trials at a rung that goes on
UNJUDGED = 0.5  # of a trial's epochs, the first ones
FEW = 4  # trials at a rung, below which nobody is judged
SETTLING = 1  # epochs after a growth
BAND = 0.1  # decades of parameters around a trial's own in which a front point of its protects it


Place = tuple[float, ...]  # the logarithm of each cost, and the error


@dataclasses.dataclass
class _Career:
    """How far a trial has come.

    `cost` is that of its epochs so far, in MACs an image; `rung` the one at which it was judged last, None
    before that; `grown` the last epoch after which it grew, and 0 before there is one.
    """

    cost: float = 0.0
    rung: int | None = None
    grown: int = 0


class ParetoHalving:
    """Judges the points of trials as they come, each trial's in the order of its epochs."""

    def __init__(self, epochs: int, costs: Sequence[str] = ("parameters",)) -> None:
        """`epochs` is the length of every trial, `costs` are what the front wants small."""
        self._epochs, self._costs = epochs, costs
        self._careers: defaultdict[int, _Career] = defaultdict(_Career)
        self._rungs: defaultdict[int, dict[int, Place]] = defaultdict(dict)

    def goes_on(self, point: Point, front: Front) -> bool:
        """Take in a trial's newest point, and say whether the trial is worth its next epochs.

        `front` is the study's, that point included.
        """
        career = self._careers[point.trial]
        career.cost += point.macs
        if point.grown:
            career.grown = point.epoch
        rung = math.floor(math.log(max(career.cost, 1.0), REDUCTION))
        if not self._is_time(point, career, rung):
            return True
        career.rung = rung
        others = self._rungs[rung]
        sizes = [decades(point, cost) for cost in self._costs]
        place = (*sizes, 1 - point.validation_accuracy)
        others.pop(point.trial, None)  # the newcomer comes last
        others[point.trial] = place
        if len(others) < FEW or _holds(point, front):
            return True
        return rank([*others.values()]) < math.ceil(KEPT * len(others))

    def forget(self, trial: int) -> None:
        """A trial starts again from its beginning."""
        self._careers.pop(trial, None)

    def _is_time(self, point: Point, career: _Career, rung: int) -> bool:
        if point.epoch >= self._epochs or point.epoch < UNJUDGED * self._epochs:
            return False
        if point.epoch < career.grown + SETTLING + 1 and career.grown:
            return False
        return career.rung is None or rung > career.rung


def _holds(point: Point, front: Front) -> bool:
    """Whether a point of the front is the trial's own and about as large."""
    size = decades(point, "parameters")
    return any(
        one.trial == point.trial and abs(decades(one, "parameters") - size) <= BAND for one in front.points
    )


def rank(places: Sequence[Place]) -> int:
    """How many of the places come before the last one; all coordinates count downwards.

    A place comes before another if it lies in an earlier non-dominated layer, or in the same one and earlier
    in an order in which each next place is the farthest from those before. So one that dominates all others
    has rank 0.
    """
    layers = _layers(places)
    mine = layers[-1]
    level = [index for index, layer in enumerate(layers) if layer == mine]
    return sum(layer < mine for layer in layers) + _spread([places[index] for index in level])[-1]


def _layers(places: Sequence[Place]) -> list[int]:
    """The non-dominated layer of each place, from 0: the length of the longest chain that dominates it."""
    return _layers_in_a_plane(places) if len(places[0]) == 2 else _layers_in_space(places)


def _layers_in_space(places: Sequence[Place]) -> list[int]:
    layers, every = np.zeros(len(places), int), np.array(places)
    before: list[int] = []
    for index in sorted(range(len(places)), key=places.__getitem__):  # whoever dominates comes earlier
        others = every[before]
        better = (others <= every[index]).all(1) & (others < every[index]).any(1)
        layers[index] = 1 + max(layers[before][better], default=-1)
        before.append(index)
    return [int(layer) for layer in layers]


def _layers_in_a_plane(places: Sequence[Place]) -> list[int]:
    layers = [0] * len(places)
    least: list[float] = []  # of each layer so far, the least second coordinate
    for index in sorted(range(len(places)), key=places.__getitem__):
        second = places[index][1]
        low, high = 0, len(least)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if least[middle] <= second else (low, middle)
        least[low : low + 1] = [second]
        layers[index] = low
    return layers


def _spread(places: Sequence[Place]) -> list[int]:
    """The turn of each place when the farthest from all before is always next; the first is the best sum."""
    scaled = np.array(places)
    extent = np.ptp(scaled, axis=0)
    scaled = (scaled - scaled.min(0)) / np.where(extent > 0, extent, 1.0)
    turns, nearest = [0] * len(places), np.full(len(places), np.inf)
    chosen = int(np.argmin(scaled.sum(1)))
    for turn in range(len(places)):
        turns[chosen] = turn
        nearest = np.minimum(nearest, ((scaled - scaled[chosen]) ** 2).sum(1))
        nearest[chosen] = -1.0
        chosen = int(np.argmax(nearest))
    return turns
