"""Every ask is answered once, every failure is retried once, and no sampler minds either."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from gnap_search import spec
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search import coverage, storage
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.marks import DISCARDED, ENQUEUED, RETRY_OF, STOPPED
from gnap_search.search.standing import Standing
from tests.search.conftest import Notes, a_point, small_study

CONDITIONAL = {
    "kind": ["plain", "deep"],
    "depth": {"low": 2, "high": 9, "when": {"kind": "deep"}},
    "rate": {"low": 1e-3, "high": 1e-1, "log": True},
}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


def a_last_point(**changes: Any) -> Point:
    """The point that ends a trial of `small_study`."""
    return a_point(epoch=3, **changes)


class Desk:
    """A study's ledger, opened anew by every driver."""

    def __init__(self, held: BaseStorage, study: spec.Study) -> None:
        self.study, self.storage = study, held
        self.optuna = storage.study(self.storage, "desk")

    def driver(self) -> Ledger:
        return Ledger(storage.study(self.storage, "desk"), self.storage, self.study)

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.optuna.get_trials()]


@pytest.fixture
def desk():
    return lambda **changes: Desk(InMemoryStorage(), small_study(**changes))


@pytest.fixture
def desk_on_disk(tmp_path: Path):
    held = storage.connect(tmp_path, None)
    yield lambda **changes: Desk(held, small_study(**changes))
    held.remove_session()
    held.engine.dispose()


def good(ask: Ask) -> Any:
    """A point whose accuracy and size follow from the settings."""
    strength = float(ask.settings.get("pruning_strength", 1e-3))
    return a_last_point(trial=ask.number, parameters=int(1 / strength), validation_accuracy=1 - 10 * strength)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:optuna")  # of the Gaussian process's optimiser
@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "gp", "random", "qmc"])
@pytest.mark.parametrize("parameters", [None, CONDITIONAL])
def test_samplers_get_along_with_failures_constraints_and_conditions(desk, sampler: str, parameters: Any):
    changes = {"parameters": parameters} if parameters else {}
    trials = 12 if sampler == "gp" else 24
    one = desk(
        trials=trials, sampler=sampler, constraints={"max_params": 900, "min_accuracy": 0.98}, **changes
    )
    ledger, running = one.driver(), []
    while (ask := ledger.ask()) or running:
        running += [ask] if ask else []
        if len(running) == 3 or ask is None:
            oldest = running.pop(0)
            if oldest.number % 5 == 2:
                ledger.fail(oldest.number, "it was a Friday")
            else:
                assert ledger.complete(oldest.number, good(oldest)) is None
    assert ledger.originals == trials
    assert set(one.states()) == {TrialState.COMPLETE, TrialState.FAIL}
    complete = [trial for trial in one.optuna.get_trials() if trial.state == TrialState.COMPLETE]
    assert all(set(trial.constraints) == {"max_params", "min_accuracy"} for trial in complete)


def test_the_sampler_hears_accuracy_and_the_logarithm_of_size(desk):
    one = desk()
    ledger = one.driver()
    number = ledger.ask().number
    ledger.complete(number, a_last_point(parameters=1000, validation_accuracy=0.75))
    assert one.optuna.get_trials()[number].values == [0.75, 3.0]
    assert one.optuna.metric_names == ["validation_accuracy", "log10_parameters"]


def test_an_empty_network_has_a_size_that_samplers_can_bear(desk):
    one = desk()
    ledger = one.driver()
    number = ledger.ask().number
    ledger.complete(number, a_last_point(parameters=0))
    assert one.optuna.get_trials()[number].values[1] == 0


@pytest.mark.parametrize("accuracy", [math.nan, math.inf])
def test_what_is_not_a_number_is_a_failure(desk, accuracy: float):
    one = desk()
    ledger = one.driver()
    number = ledger.ask().number
    assert "accuracy" in ledger.complete(number, a_last_point(validation_accuracy=accuracy))
    assert one.states()[number] == TrialState.FAIL
    assert number in ledger.failures


def test_a_failed_trial_is_retried_once_with_its_own_settings(desk_on_disk):
    ledger = desk_on_disk(trials=2).driver()
    first = ledger.ask()
    ledger.fail(first.number, "bad luck")
    retry = ledger.ask()
    assert retry.number != first.number and retry.settings == first.settings
    ledger.fail(retry.number, "bad luck again")
    last = ledger.ask()
    assert last.settings != first.settings
    ledger.complete(last.number, good(last))
    assert ledger.ask() is None
    assert ledger.lost() == [first.number]
    assert ledger.failures == {first.number: "bad luck", retry.number: "bad luck again"}


def test_the_next_driver_adopts_what_was_asked_and_not_answered(desk_on_disk):
    one = desk_on_disk(trials=3)
    before = one.driver()
    asks = [before.ask(), before.ask()]
    after = one.driver()
    assert after.adopt() == asks
    assert after.left == 3
    for ask in [*asks, after.ask()]:
        assert after.complete(ask.number, good(ask)) is None
    assert after.ask() is None and after.left == 0
    assert after.completed == 3


def test_a_trial_that_was_half_asked_is_asked_anew(desk):
    one = desk(trials=2, sampler="random")
    one.optuna.ask().suggest_float("pruning_strength", 1e-4, 3e-3, log=True)
    ledger = one.driver()
    assert ledger.adopt() == []
    assert ledger.originals == 0
    assert DISCARDED in one.optuna.get_trials()[0].user_attrs
    assert [ledger.ask().number, ledger.ask().number, ledger.ask()] == [1, 2, None]


def test_a_spread_out_proposal_survives_its_half_asked_trial(desk):
    one = desk(trials=2)
    first = coverage.proposals(one.study)[0]
    one.optuna.enqueue_trial(first)
    one.optuna.ask()  # and its driver dies before any setting is drawn
    ledger = one.driver()
    assert ledger.adopt() == []
    assert ledger.ask() == Ask(1, first)


def test_a_retry_that_was_half_asked_is_queued_again(desk):
    one = desk(trials=1)
    ledger = one.driver()
    first = ledger.ask()
    ledger.fail(first.number, "bad luck")
    one.optuna.ask()  # takes the retry, and its driver dies before any setting is drawn
    ledger = one.driver()
    assert ledger.adopt() == []
    retry = ledger.ask()
    assert retry.settings == first.settings
    assert one.optuna.get_trials()[retry.number].user_attrs[RETRY_OF] == first.number


def test_a_failure_whose_retry_was_never_queued_is_retried_by_the_next_driver(desk):
    one = desk(trials=1)
    first = one.driver().ask()
    one.optuna.tell(first.number, state=TrialState.FAIL)
    ledger = one.driver()
    ledger.adopt()
    assert ledger.ask().settings == first.settings


def test_a_retry_that_another_program_has_queued_keeps_its_number(desk_on_disk):
    one = desk_on_disk(trials=1)
    first = one.driver().ask()
    one.optuna.tell(first.number, state=TrialState.FAIL)
    one.optuna.enqueue_trial(first.settings, user_attrs={RETRY_OF: first.number})
    ledger = one.driver()
    assert ledger.adopt() == []
    retry = ledger.ask()
    assert retry == Ask(1, first.settings) and one.states() == [TrialState.FAIL, TrialState.RUNNING]
    ledger.complete(retry.number, good(retry))
    assert ledger.ask() is None and one.states()[1] == TrialState.COMPLETE


def test_a_trial_that_another_program_has_queued_in_part_is_kept_as_it_was_drawn(desk_on_disk):
    one = desk_on_disk(trials=2)
    one.driver()
    one.optuna.enqueue_trial({"growth_factor": 1.5})
    ask = one.driver().ask()
    assert ask.settings["growth_factor"] == 1.5 and one.optuna.get_trials()[0].params == ask.settings
    assert one.driver().adopt() == [ask]


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "qmc", "random"])
def test_what_the_ledger_says_is_what_its_storage_has(desk_on_disk, sampler: str):
    one = desk_on_disk(trials=8, sampler=sampler, constraints={"max_params": 900})
    ledger = one.driver()
    while ask := ledger.ask():
        kept = one.optuna.get_trials()[ask.number]
        assert (kept.state, kept.params) == (TrialState.RUNNING, ask.settings)
        if ask.number == 2:
            ledger.fail(ask.number, "bad luck")
        else:
            ledger.complete(ask.number, good(ask))
    again = one.driver()
    assert (again.originals, again.completed, again.failures, again.left) == (8, 8, {2: "bad luck"}, 0)
    assert (again.settled(), again.lost()) == (ledger.settled(), ledger.lost())


def test_a_trial_that_was_stopped_early_is_answered_without_values(desk_on_disk):
    one = desk_on_disk(trials=3)
    ledger = one.driver()
    first, second = ledger.ask(), ledger.ask()
    assert ledger.complete(first.number, a_point(trial=first.number, epoch=2)) is None
    ledger.complete(second.number, good(second))
    assert one.states() == [TrialState.PRUNED, TrialState.COMPLETE]
    kept = one.optuna.get_trials()[0]
    assert kept.values is None and kept.user_attrs[STOPPED] == 2
    for desk in (ledger, one.driver()):
        assert (desk.completed, desk.stopped, desk.done, desk.left) == (1, 1, 2, 1)
        assert desk.settled() == {0, 1} and not desk.failures


def test_a_sequence_goes_on_with_the_next_driver(desk_on_disk):
    one = desk_on_disk(trials=9, sampler="qmc")
    asked = [one.driver().ask().settings["growth_factor"] for _ in range(9)]
    assert len(set(asked)) == 9


def test_what_a_sequence_leaves_to_chance_is_not_drawn_again_by_the_next_driver(desk_on_disk):
    one = desk_on_disk(
        trials=9, sampler="qmc", parameters=CONDITIONAL | {"kind": ["plain", "deep", "deeper"]}
    )
    asked = [tuple(one.driver().ask().settings.items()) for _ in range(9)]
    assert len(set(asked)) == 9


def test_a_given_configuration_is_trained_though_patience_is_over(desk_on_disk, tmp_path: Path):
    one = desk_on_disk(trials=9, constraints={"max_params": 1})  # which no point meets
    (tmp_path / "study.toml").write_text(one.study.to_toml())
    ledger = one.driver()
    ledger.attend(Standing(Run(tmp_path), Notes()), patience=1)
    for _ in range(2):
        ask = ledger.ask()
        ledger.complete(ask.number, good(ask))
    assert ledger.stalled and ledger.ask() is None
    settings = {**ask.settings, "growth_factor": 1.25}
    one.optuna.enqueue_trial(settings, user_attrs={ENQUEUED: 0})
    again = one.driver()
    again.attend(Standing(Run(tmp_path), Notes()), patience=1)
    assert not again.stalled and again.ask().settings == settings
    assert again.ask() is None


def test_constraints_may_be_told_twice(desk):
    one = desk(constraints={"max_params": 10})
    ask = one.driver().ask()
    held = one.storage
    trial_id = held.get_trial_id_from_study_id_trial_number(held.get_study_id_from_name("desk"), ask.number)
    optuna.Trial(one.optuna, trial_id).set_constraint(
        "max_params", 1.0
    )  # and the driver dies before it tells
    ledger = one.driver()
    ledger.complete(ask.number, a_last_point(trial=ask.number))
    assert one.optuna.get_trials()[ask.number].constraints == {"max_params": 1.0}


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii"])
def test_a_discrete_space_is_not_asked_the_same_twice_while_there_is_something_new(desk, sampler: str):
    one = desk(
        trials=5, sampler=sampler, parameters={"kind": ["a", "b", "c"], "count": {"low": 1, "high": 9}}
    )
    ledger, seen = one.driver(), []
    while ask := ledger.ask():
        seen.append(tuple(ask.settings.items()))
        ledger.complete(ask.number, a_last_point(trial=ask.number, parameters=50 + ask.number))
    assert len(seen) == 5 == len(set(seen))


def test_a_discrete_space_that_is_used_up_does_not_end_the_study(desk):
    ledger = desk(trials=5, parameters={"kind": ["a", "b"]}).driver()
    count = 0
    while ask := ledger.ask():
        ledger.complete(ask.number, a_last_point(trial=ask.number))
        count += 1
    assert count == 5


def test_an_extended_study_asks_for_the_rest(desk):
    one = desk(trials=2)
    ledger = one.driver()
    for _ in range(2):
        ledger.complete(*(lambda ask: (ask.number, good(ask)))(ledger.ask()))
    longer = Ledger(storage.study(one.storage, "desk"), one.storage, small_study(trials=5))
    assert longer.left == 3
    assert [longer.ask().number for _ in range(3)] == [2, 3, 4]
    assert longer.ask() is None
