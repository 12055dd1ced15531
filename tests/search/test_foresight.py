"""Who gives a study too little time hears of it after the first epochs, once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from gnap_search.results import Point
from gnap_search.search.foresight import Foresight

MakePoint = Callable[..., Point]


def epoch(make_point: MakePoint, number: int, seconds: float) -> Point:
    return dataclasses.replace(make_point(0, number, 500, 0.5), seconds=seconds)


def test_too_little_time_is_told_once(make_point: MakePoint) -> None:
    foresight = Foresight(epochs=30, timeout=600)
    assert foresight.warning(epoch(make_point, 1, 15)) is None, "much of it may be the start"
    told = foresight.warning(epoch(make_point, 2, 30))
    assert told is not None
    assert "about 15 minutes here, and --timeout gives 10 minutes: with --epochs 16, or" in told
    assert foresight.warning(epoch(make_point, 3, 30)) is None


def test_an_epoch_that_takes_long_is_enough_to_know(make_point: MakePoint) -> None:
    told = Foresight(epochs=30, timeout=60).warning(epoch(make_point, 1, 110))
    assert told is not None and "about 55 minutes here, and --timeout gives 60 s: with --epochs 1," in told


@pytest.mark.parametrize(("timeout", "seconds"), [(0, 1000), (600, 20)])
def test_nothing_is_told_where_there_is_time(make_point: MakePoint, timeout: float, seconds: float) -> None:
    foresight = Foresight(30, timeout)
    assert not any(foresight.warning(epoch(make_point, number, seconds)) for number in (1, 2, 3))
