"""A front of accuracy and two costs, against definitions that are too slow to use."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnap_search import request
from gnap_search.errors import UserError
from gnap_search.front import BOX, Budget, Front, dominates
from gnap_search.results import Point

COSTS = ("parameters", "macs")
MakePoint = Callable[..., Point]
values = st.sampled_from([1, 40, 900, 10**6, 2 * 10**7])
places = st.lists(st.tuples(values, values, st.integers(0, 6)), max_size=20)


def cloud(make: MakePoint, drawn: Sequence[tuple[int, int, int]]) -> list[Point]:
    return [
        dataclasses.replace(make(number, 1, parameters, sixths / 6), macs=macs)
        for number, (parameters, macs, sixths) in enumerate(drawn)
    ]


def losses(point: Point) -> tuple[float, ...]:
    return point.parameters, point.macs, point.validation_accuracy


@given(places, st.randoms(use_true_random=False))
def test_it_is_what_nothing_dominates_whatever_comes_first(
    make_point: MakePoint, drawn: list[tuple[int, int, int]], dice: random.Random
) -> None:
    points = cloud(make_point, drawn)
    kept = {losses(one) for one in points if not any(dominates(other, one, COSTS) for other in points)}
    front = Front(points, costs=COSTS)
    assert {losses(point) for point in front.points} == kept
    assert len(front.points) == len(kept)
    shuffled = Front(dice.sample(points, len(points)), costs=COSTS)
    assert {point.id for point in shuffled.points} == {point.id for point in front.points}


@given(places)
def test_add_tells_who_entered_and_who_left(make_point: MakePoint, drawn: list[tuple[int, int, int]]) -> None:
    front = Front(costs=COSTS)
    for point in cloud(make_point, drawn):
        before = {other.id for other in front.points}
        entered, left = front.add(point)
        gone = {other.id for other in left}
        assert gone <= before
        assert {other.id for other in front.points} == (before - gone) | ({point.id} if entered else set())


@given(places)
def test_hypervolume_agrees_with_moocore(make_point: MakePoint, drawn: list[tuple[int, int, int]]) -> None:
    moocore = pytest.importorskip("moocore")
    points = cloud(make_point, drawn)
    rows = [
        (
            -point.validation_accuracy,
            *(max(math.log10(getattr(point, cost)), BOX[cost][0]) for cost in COSTS),
        )
        for point in points
    ]
    ends = [BOX[cost][1] for cost in COSTS]
    inside = [row for row in rows if all(size < end for size, end in zip(row[1:], ends, strict=True))]
    expected = moocore.hypervolume(inside, ref=(0.0, *ends)) if inside else 0.0
    whole = math.prod(high - low for low, high in (BOX[cost] for cost in COSTS))
    assert Front(points, costs=COSTS).hypervolume() == pytest.approx(expected / whole)


def test_the_best_is_the_most_accurate_and_picks_go_by_accuracy(make_point: MakePoint) -> None:
    points = cloud(make_point, [(900, 40, 3), (40, 900, 5), (10**6, 1, 2)])
    front = Front(points, costs=COSTS)
    assert len(front.points) == 3 and front.best == points[1]
    assert front.within(Budget(max_macs=40)) == points[0]
    assert front.in_parameters().points == (points[1],)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"objectives": ("accuracy",)}, "accuracy and one or two of"),
        ({"objectives": ("parameters", "macs")}, "accuracy and one or two of"),
        ({"objectives": ("accuracy", "flops")}, "'flops'"),
    ],
)
def test_objectives_that_cannot_be_searched_are_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        request.study({"dataset": "digits", **asked})
