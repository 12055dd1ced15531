"""Course: a training from its first epoch to its last, with what it could be broken off with."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from gnap_search.training.trainer import Trainer

Make = Callable[[], Trainer]


def of_whole_blocks(make: Make, stops: Sequence[int]) -> list[dict[str, int]]:
    """Every set of widths that a training has, in order.

    Its blocks are there with all of their groups or with none, and broken off after any of the epochs
    `stops` it goes on to the same points.
    """
    training = make()
    states: list[Any] = []
    there = [dict(training.widths)]
    while not training.finished:
        training.epoch()
        states.append(copy.deepcopy(training.state()))
        there += [dict(training.points[-1].widths), dict(training.widths)]
    for widths in there:
        assert all(len({widths[group] > 0 for group in block}) == 1 for block in training.blueprint.blocks)
    for stop in stops:
        again = make()
        again.restore(*states[stop - 1])
        while not again.finished:
            again.epoch()
        for one, other in zip(again.points[stop:], training.points[stop:], strict=True):
            assert dataclasses.replace(one, seconds=other.seconds) == other
    return there
