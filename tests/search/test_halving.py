"""Who dominates goes on, who is dominated by many does not, and growth is given time."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gnap_search.front import Front
from gnap_search.search.halving import KEPT, ParetoHalving, rank
from tests.search.conftest import a_point

PLACES = st.lists(st.tuples(st.floats(1, 7), st.floats(0, 1)), min_size=1, max_size=40)


@given(PLACES)
def test_a_newcomer_that_dominates_all_others_comes_first(places):
    better = min(size for size, _ in places) - 0.1, min(error for _, error in places) - 0.1
    assert rank([*places, better]) == 0


@given(PLACES)
def test_a_newcomer_that_all_others_dominate_comes_last(places):
    worse = max(size for size, _ in places) + 0.1, max(error for _, error in places) + 0.1
    assert rank([*places, worse]) == len(places)


@given(PLACES)
def test_nobody_comes_before_one_that_dominates_it(places):
    *others, (size, error) = places
    ahead = sum(one[0] <= size and one[1] <= error and one != (size, error) for one in others)
    assert rank(places) >= ahead


@given(PLACES, st.floats(0.5, 20), st.floats(0.5, 20))
def test_units_do_not_matter(places, width: float, height: float):
    ordered = [(round(size, 3), round(error, 3)) for size, error in places]
    scaled = [(size * 2.0 ** round(width), error * 2.0 ** round(height)) for size, error in ordered]
    assert rank(scaled) == rank(ordered)


EPOCHS = 20


def life(trial: int, parameters: int, accuracy: float, macs: int = 1000, grown: int = 0):
    """A training's points: it grows after one epoch, and gets better evenly."""
    return [
        a_point(
            trial=trial,
            epoch=epoch,
            parameters=parameters,
            macs=macs,
            validation_accuracy=accuracy * epoch / EPOCHS,
            grown=epoch == grown,
        )
        for epoch in range(1, EPOCHS + 1)
    ]


def stopped_after(halving: ParetoHalving, points, front: Front) -> int:
    """The last epoch that a training comes to."""
    for point in points:
        front.add(point)
        if not halving.goes_on(point, front) and point.epoch < EPOCHS:
            return point.epoch
    return EPOCHS


def test_a_training_that_dominates_all_others_always_goes_on():
    halving, front = ParetoHalving(EPOCHS), Front()
    for trial in range(30):
        points = life(trial, 5000 - 100 * trial, 0.5 + 0.01 * trial)
        assert stopped_after(halving, points, front) == EPOCHS


def test_a_training_that_others_dominate_is_stopped_half_way():
    halving, front = ParetoHalving(EPOCHS), Front()
    for trial in range(10):
        stopped_after(halving, life(trial, 1000 + trial, 0.9 - 0.01 * trial), front)
    assert EPOCHS / 2 <= stopped_after(halving, life(10, 4000, 0.6), front) < EPOCHS


def test_about_the_share_that_is_meant_to_goes_on():
    random = np.random.default_rng(0)
    halving, front = ParetoHalving(EPOCHS), Front()
    front.add(a_point(trial=-1, epoch=1, parameters=1, validation_accuracy=1.0))  # nobody holds a front point
    places = zip(random.integers(100, 10_000, 200).tolist(), random.uniform(0.5, 1, 200), strict=True)
    ends = [
        stopped_after(halving, life(trial, size, accuracy), front)
        for trial, (size, accuracy) in enumerate(places)
    ]
    # Judged once or twice.
    assert KEPT**2 - 0.1 < np.mean([end == EPOCHS for end in ends]) < KEPT + 0.1


def test_nothing_is_judged_right_after_a_growth():
    halving, front = ParetoHalving(EPOCHS), Front()
    for trial in range(10):
        stopped_after(halving, life(trial, 1000 + trial, 0.9 - 0.01 * trial), front)
    first = stopped_after(halving, life(10, 4000, 0.6), front)
    grown = stopped_after(halving, life(11, 4000, 0.6, grown=first - 1), front)
    assert grown > first


def test_whoever_holds_a_front_point_of_its_size_goes_on():
    halving, front = ParetoHalving(EPOCHS), Front()
    for trial in range(10):
        stopped_after(halving, life(trial, 1000 + trial, 0.9 - 0.01 * trial), front)
    large = life(10, 100_000, 0.91)
    assert stopped_after(halving, large, Front()) == EPOCHS


def test_costs_are_compared_and_not_epochs():
    halving, front = ParetoHalving(EPOCHS), Front()
    for trial in range(10):
        stopped_after(halving, life(trial, 1000, 0.9 - 0.01 * trial, macs=1000), front)
    # Ten thousand times as dear, it meets nobody at its rungs.
    assert stopped_after(halving, life(10, 4000, 0.5, macs=10**7), front) == EPOCHS


def test_what_it_knows_follows_from_the_points():
    first, front = ParetoHalving(EPOCHS), Front()
    lives = [life(trial, 1000 + 50 * trial, 0.9 - 0.02 * trial) for trial in range(12)]
    verdicts = [first.goes_on(point, front) for points in lives for point in points]
    again = ParetoHalving(EPOCHS)
    for points in lives:
        for point in points:
            again.goes_on(point, front)
    newcomer = life(99, 1200, 0.85)
    assert [first.goes_on(one, front) for one in newcomer] == [again.goes_on(one, front) for one in newcomer]
    assert not all(verdicts)


def test_a_decision_among_a_thousand_is_quick():
    random = np.random.default_rng(0)
    places = list(zip(random.uniform(2, 5, 1000).tolist(), random.random(1000).tolist(), strict=True))
    start = time.perf_counter()
    for _ in range(20):
        rank(places)
    assert (time.perf_counter() - start) / 20 < 0.1  # it takes 2 ms; a square algorithm took seconds
