"""What is counted as trials end is what a count of all of them gives."""

from __future__ import annotations

import functools

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from gnap_search.front import Budget, Front
from gnap_search.search import patience
from gnap_search.search.marks import DISCARDED, FROM_STUDY, RETRY_OF, counted
from gnap_search.search.patience import Watch
from gnap_search.search.roll import Roll
from tests.search.conftest import a_point

EVENTS = st.lists(st.tuples(st.sampled_from(["ask", "queue", "retry", "known", "end"]), st.integers(0, 99)))
ENDS = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, None)  # None: discarded


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


class Study:
    """Optuna's trials, as a ledger leaves them."""

    def __init__(self) -> None:
        self.optuna = optuna.create_study(directions=["maximize", "minimize"])

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.optuna.get_trials(deepcopy=False)

    def happen(self, event: str, chance: int) -> None:
        running = [trial.number for trial in self.trials if trial.state == TrialState.RUNNING]
        if event == "ask":
            self.optuna.ask()
        elif event == "queue":
            self.optuna.enqueue_trial({"x": chance})
        elif event == "retry":
            self.optuna.enqueue_trial({"x": chance}, user_attrs={RETRY_OF: chance})
        elif event == "known":
            self.optuna.add_trial(optuna.create_trial(values=[0.5, 2.0], user_attrs={FROM_STUDY: "another"}))
        elif running:
            self._end(running[chance % len(running)], ENDS[chance % len(ENDS)])

    def _end(self, number: int, state: TrialState | None) -> None:
        values = [0.5, 2.0] if state == TrialState.COMPLETE else None
        if state is None:
            optuna.Trial(self.optuna, number).set_user_attr(DISCARDED, "for once")
        self.optuna.tell(number, values, state=state or TrialState.FAIL)


def moment(trial: FrozenTrial):
    return trial.datetime_complete, trial.number


@given(EVENTS)
def test_it_knows_what_a_count_of_all_trials_gives(events: list[tuple[str, int]]) -> None:
    study, roll = Study(), Roll()
    for event, chance in events:
        study.happen(event, chance)
        roll.follow(study.trials)
        mine = list(counted(study.trials))
        assert roll.originals == sum(RETRY_OF not in trial.user_attrs for trial in mine)
        assert roll.waiting == any(trial.state == TrialState.WAITING for trial in study.trials)
        ended = sorted((trial for trial in mine if trial.datetime_complete), key=moment)
        assert [trial.number for trial in roll.ended] == [trial.number for trial in ended]


@given(EVENTS, st.integers(0, 4), st.randoms(use_true_random=False))
def test_patience_that_is_followed_is_patience_found_out_anew(events, number: int, random) -> None:
    study, roll, watch, points = Study(), Roll(), Watch(Front((), Budget(max_parameters=900))), []
    told = functools.partial(of, points)
    for event, chance in events:
        study.happen(event, chance)
        running = [trial.number for trial in study.trials if trial.state == TrialState.RUNNING]
        points += [
            a_point(trial=trial, parameters=random.randrange(1, 1000), validation_accuracy=random.random())
            for trial in running
        ]
        roll.follow(study.trials)
        front = Front(points, Budget(max_parameters=900))
        anew = patience.stalled(study.trials, points, front.of(()), number)
        assert watch.stalled(roll.ended, number, told, front) == anew


def of(points, trial: int):
    return [point for point in points if point.trial == trial]
