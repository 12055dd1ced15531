"""The front against definitions that are too slow to use."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnap_search.errors import UserError
from gnap_search.front import LARGEST, SMALLEST, Budget, Front, dominates, keeps_off
from gnap_search.results import Point

MakePoint = Callable[..., Point]
# Few different values, so that ties of both kinds are common.
places = st.lists(
    st.tuples(st.sampled_from([0, 7, 40, 41, 900, 10**6, 2 * 10**7]), st.integers(0, 6)), max_size=25
)


def cloud(make: MakePoint, drawn: Sequence[tuple[int, int]]) -> list[Point]:
    return [make(number, 1, parameters, sixths / 6) for number, (parameters, sixths) in enumerate(drawn)]


def objectives(points: Sequence[Point]) -> list[tuple[int, float]]:
    return [(point.parameters, point.validation_accuracy) for point in points]


@given(places)
def test_the_front_is_what_nothing_dominates(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    points = cloud(make_point, drawn)
    kept = {
        (one.parameters, one.validation_accuracy)
        for one in points
        if not any(dominates(other, one) for other in points)
    }
    assert objectives(Front(points).points) == sorted(kept)


@given(places, st.randoms(use_true_random=False))
def test_the_order_of_arrival_is_without_effect(
    make_point: MakePoint, drawn: list[tuple[int, int]], dice: random.Random
) -> None:
    points = cloud(make_point, drawn)
    shuffled = dice.sample(points, len(points))
    assert Front(shuffled).points == Front(points).points


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 3), max_size=25))
def test_what_another_point_keeps_off_stands_on_no_front(
    make_point: MakePoint, drawn: list[tuple[int, int, int]]
) -> None:
    points = [
        dataclasses.replace(make_point(0, epoch, parameters, accuracy / 4), macs=macs)
        for epoch, (parameters, macs, accuracy) in enumerate(drawn)
    ]
    both = ("parameters", "macs")
    left = {one.epoch for one in points if not any(keeps_off(other, one, both) for other in points)}
    for costs in (both, ("parameters",), ("macs",)):
        assert {point.epoch for point in Front(points, costs=costs).points} <= left


@given(places)
def test_add_tells_who_entered_and_who_left(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    front = Front()
    for point in cloud(make_point, drawn):
        before = [other.id for other in front.points]
        entered, left = front.add(point)
        gone = {other.id for other in left}
        assert gone <= set(before)
        expected = (set(before) - gone) | ({point.id} if entered else set())
        assert {other.id for other in front.points} == expected


@given(places)
def test_points_past_the_budget_stay_out(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    points = cloud(make_point, drawn)
    budget = Budget(max_parameters=900, max_macs=36_000, min_accuracy=0.5)
    fitting = [point for point in points if point.parameters <= 900 and point.validation_accuracy >= 0.5]
    assert Front(points, budget).points == Front(fitting).points


@given(places)
def test_hypervolume_agrees_with_moocore(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    moocore = pytest.importorskip("moocore")
    points = cloud(make_point, drawn)
    rows = [
        (-point.validation_accuracy, math.log10(max(point.parameters, 10**SMALLEST)))
        for point in points
        if point.parameters < 10**LARGEST
    ]
    expected = moocore.hypervolume(rows, ref=(0.0, LARGEST)) if rows else 0.0
    assert Front(points).hypervolume() == pytest.approx(expected / (LARGEST - SMALLEST))


@given(places)
def test_hypervolume_never_falls(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    front, reached = Front(), 0.0
    for point in cloud(make_point, drawn):
        front.add(point)
        assert reached <= front.hypervolume() + 1e-12 and 0 <= front.hypervolume() <= 1
        reached = front.hypervolume()


@given(places.filter(bool))
def test_the_knee_is_a_point_of_the_front(make_point: MakePoint, drawn: list[tuple[int, int]]) -> None:
    front = Front(cloud(make_point, drawn))
    assert front.knee() in front.points


def test_the_knee_of_a_corner_is_the_corner(make_point: MakePoint) -> None:
    corner = make_point(1, 1, 1_000, 0.98)
    front = Front([make_point(0, 1, 100, 0.5), corner, make_point(2, 1, 100_000, 0.99)])
    assert front.knee() == corner


@pytest.mark.parametrize("chance", [0.1, 0.33, 0.5])
def test_a_network_near_chance_does_not_draw_the_knee_to_itself(make_point: MakePoint, chance: float) -> None:
    useful = [make_point(1, 1, 100, 0.84), make_point(2, 1, 400, 0.93), make_point(3, 1, 3_000, 0.98)]
    front = Front([make_point(0, 1, 8, chance), *useful])
    assert front.knee() == Front(useful).knee() == useful[1]


def test_picks_under_a_budget(make_point: MakePoint) -> None:
    small, middle, large = (
        make_point(0, 1, 100, 0.9),
        make_point(1, 1, 1_000, 0.95),
        make_point(2, 1, 9_000, 0.99),
    )
    front = Front([small, middle, large])
    assert front.within(Budget(max_parameters=5_000)) == middle
    assert front.within(Budget(max_macs=4_000)) == small
    assert front.within(Budget(min_accuracy=0.92)) == middle
    assert front.within(Budget(max_parameters=10_000, min_accuracy=0.92)) == large
    assert front.within(Budget()) == large
    assert front.all_within(Budget(max_parameters=5_000)) == [small, middle]


@pytest.mark.parametrize("limit", ["max_parameters", "max_macs", "max_training_macs"])
def test_a_limit_beyond_all_numbers_limits_nothing(make_point: MakePoint, limit: str) -> None:
    point = make_point(0, 1, 100, 0.9)
    assert Front([point]).within(Budget(**{limit: 10**400})) == point


@pytest.mark.parametrize(
    ("budget", "nearest"),
    [(Budget(max_parameters=50), "0-1"), (Budget(min_accuracy=0.999), "2-1"), (Budget(max_macs=1), "0-1")],
)
def test_a_budget_that_no_point_meets_names_the_nearest(
    make_point: MakePoint, budget: Budget, nearest: str
) -> None:
    front = Front([make_point(0, 1, 100, 0.9), make_point(1, 1, 1_000, 0.95), make_point(2, 1, 9_000, 0.99)])
    with pytest.raises(UserError, match=f"the nearest is {nearest} with"):
        front.within(budget)
    with pytest.raises(UserError, match=f"the nearest is {nearest} with"):
        front.all_within(budget)


def test_a_budget_of_training_that_no_point_meets_tells_what_the_nearest_took(make_point: MakePoint) -> None:
    front = Front([dataclasses.replace(make_point(0, 1, 100, 0.9), training_macs=7_000)])
    with pytest.raises(UserError, match=r"0-1 with 100 parameters, 4,000 MACs, 7,000 of training and 90"):
        front.within(Budget(max_training_macs=5))


def test_one_standard_error(make_point: MakePoint) -> None:
    points = [make_point(0, 1, 100, 0.95), make_point(1, 1, 1_000, 0.981), make_point(2, 1, 9_000, 0.99)]
    front = Front(points)  # one standard error is 0.0099 on 100 images, and 0.00099 on 10,000
    assert front.within_one_standard_error(100) == points[1]
    assert front.within_one_standard_error(10_000) == points[2]
    flawless = Front([make_point(0, 1, 100, 0.995), make_point(1, 1, 1_000, 1.0)])
    assert flawless.within_one_standard_error(100).parameters == 100, "none wrong of 100 is no proof"


def test_a_point_is_found_by_its_id(make_point: MakePoint) -> None:
    front = Front([make_point(3, 7, 100, 0.9)])
    assert front.find("3-7").epoch == 7
    with pytest.raises(UserError, match="No point '3-8' on the front; its points are 3-7"):
        front.find("3-8")


@pytest.mark.parametrize("pick", ["knee", "within", "find", "within_one_standard_error"])
def test_an_empty_front_has_no_picks(pick: str) -> None:
    front = Front(budget=Budget(max_parameters=10))
    arguments = {"knee": (), "within": (Budget(),), "find": ("1-1",), "within_one_standard_error": (10,)}[
        pick
    ]
    with pytest.raises(
        UserError, match="front is empty: there is no finished epoch with at most 10 parameters"
    ):
        getattr(front, pick)(*arguments)
