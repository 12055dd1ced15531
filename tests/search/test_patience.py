"""A study's patience is over when its front has not moved over its last completed trials, and not before."""

from __future__ import annotations

import datetime

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from gnap_search.front import Budget, Front
from gnap_search.results import Point
from gnap_search.search import patience
from tests.search.conftest import a_point

BETTER, WORSE = 0.9, 0.5
START = datetime.datetime(2026, 1, 1)


def trials(*states: TrialState) -> list[FrozenTrial]:
    """Trials by number, ended one after the other but for those that are running."""
    made = []
    for number, state in enumerate(states):
        values = [0.5, 2.0] if state == TrialState.COMPLETE else None
        trial = create_trial(state=state, values=values)
        trial.number = number
        trial.datetime_complete = START + number * datetime.timedelta(1) if state.is_finished() else None
        made.append(trial)
    return made


def points(*accuracies: float) -> list[Point]:
    return [a_point(trial=trial, validation_accuracy=value) for trial, value in enumerate(accuracies)]


COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED
FAIL, RUNNING = TrialState.FAIL, TrialState.RUNNING


@pytest.mark.parametrize(
    ("states", "accuracies", "number", "over"),
    [
        ([COMPLETE] * 3, [BETTER, WORSE, WORSE], 2, True),
        ([COMPLETE] * 3, [BETTER, WORSE, WORSE], 3, False),
        ([COMPLETE] * 3, [BETTER, WORSE, WORSE], 0, False),
        ([COMPLETE, PRUNED, PRUNED], [BETTER, WORSE, WORSE], 2, True),
        ([COMPLETE] * 3, [WORSE, BETTER, WORSE], 2, False),
        ([COMPLETE] * 3, [WORSE, BETTER, WORSE], 1, True),
        ([COMPLETE, FAIL, COMPLETE], [BETTER, WORSE, WORSE], 2, False),
        ([COMPLETE, COMPLETE, FAIL, COMPLETE], [WORSE, WORSE, BETTER, WORSE], 2, False),
        ([COMPLETE, COMPLETE, RUNNING], [WORSE, WORSE, BETTER], 1, False),
        ([COMPLETE, COMPLETE, RUNNING], [BETTER, WORSE, WORSE], 1, True),
        ([], [], 1, False),
    ],
)
def test_a_front_has_stalled_after_so_many_trials_without_progress(
    states: list[TrialState], accuracies: list[float], number: int, over: bool
) -> None:
    assert patience.stalled(trials(*states), points(*accuracies), Front(), number) == over


def test_trials_count_in_the_order_in_which_they_ended() -> None:
    first, second = trials(COMPLETE, COMPLETE)
    first.datetime_complete, second.datetime_complete = second.datetime_complete, first.datetime_complete
    assert patience.stalled([first, second], points(WORSE, BETTER), Front(), 1)
    assert not patience.stalled([first, second], points(BETTER, WORSE), Front(), 1)


def test_less_than_the_least_progress_is_none() -> None:
    share = 5 / 6  # of the box: what the accuracy of a network of 100 parameters is worth
    for gain, over in ((0.9, True), (1.1, False)):
        found = points(0.5, 0.5 + gain * patience.LEAST_PROGRESS / share)
        assert patience.stalled(trials(COMPLETE, COMPLETE), found, Front(), 1) == over


def test_what_is_past_the_limits_is_no_progress() -> None:
    found = [*points(WORSE), a_point(trial=1, validation_accuracy=BETTER, parameters=999)]
    assert patience.stalled(trials(COMPLETE, COMPLETE), found, Front((), Budget(max_parameters=500)), 1)
