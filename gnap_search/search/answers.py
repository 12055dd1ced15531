"""Answers: how a study's trials have ended, read without writing anything."""

from __future__ import annotations

import dataclasses

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.runs import Run
from gnap_search.search import patience, storage
from gnap_search.search.lock import is_driven, is_looped
from gnap_search.search.marks import FROM_STUDY, REASON, RETRY_OF, counted, enqueued, not_retried
from gnap_search.status import State, Status

OPEN = (TrialState.RUNNING, TrialState.WAITING)


def status(run: Run) -> Status:
    """A study's status, out of its storage, without importances.

    Raises:
        UserError: the storage cannot be opened.
    """
    return _status(run, _trials(run)) if run.searched else _given_status(run)


def status_or_problem(run: Run) -> Status:
    """A study's status; where it cannot be read, that and why."""
    try:
        return status(run)
    except UserError as problem:
        return Status(run, "unreadable", complete=0, stopped=0, target=0, failures={}, problem=str(problem))


def full_status(run: Run) -> Status:
    """A study's status with how much each of its settings decides.

    Raises:
        UserError: the storage cannot be opened.
    """
    if not run.searched:
        return _given_status(run)
    present = _trials(run)
    with storage.silence():
        from gnap_search.search import importance  # for two seconds, out of scikit-learn

        importances = importance.measured(present, run.study.objectives)
        return dataclasses.replace(_status(run, present), importances=importances)


def _status(run: Run, present: list[FrozenTrial]) -> Status:
    trials = list(counted(present))
    originals = sum(RETRY_OF not in trial.user_attrs for trial in trials)
    unsettled = any(trial.state in OPEN for trial in trials) or not_retried(trials)
    settled = originals >= run.study.trials and not unsettled
    return Status(
        run=run,
        state="finished" if settled else _unfinished(run, trials),
        complete=sum(trial.state == TrialState.COMPLETE for trial in trials),
        stopped=sum(trial.state == TrialState.PRUNED for trial in trials),
        target=run.study.trials,
        told=sum(FROM_STUDY in trial.user_attrs for trial in present),
        failures={
            trial.number: str(trial.user_attrs[REASON]) for trial in trials if REASON in trial.user_attrs
        },
        started=_started(trials),
    )


def _given_status(run: Run) -> Status:
    """How far given trainings are, of which Optuna knows nothing."""
    complete, target = len(run.results), run.study.trials
    unfinished: State = "running" if is_looped(run.folder) else "stopped"
    return Status(
        run=run,
        state="finished" if complete >= target else unfinished,
        complete=complete,
        stopped=0,
        target=target,
        failures=run.given_failures,
    )


def _started(trials: list[FrozenTrial]) -> dict[int, float]:
    """Trial -> when it was asked, in seconds after the first one; those that wait have no time yet."""
    times = {trial.number: trial.datetime_start for trial in trials if trial.datetime_start}
    first = min(times.values(), default=None)
    return {number: (time - first).total_seconds() for number, time in times.items() if first}


def asked(run: Run) -> tuple[int, set[int]]:
    """How many proposals of a study have been asked, and the places of the given configurations among them.

    Raises:
        UserError: the storage cannot be opened.
    """
    trials = [trial for trial in counted(_trials(run)) if RETRY_OF not in trial.user_attrs]
    return len(trials), enqueued(trials)


def _trials(run: Run) -> list[FrozenTrial]:
    """Every trial that was asked; none where the study has not come to its first.

    Raises:
        UserError: the storage cannot be opened, or is damaged.
    """
    if run.launch.storage is None and not (run.folder / "study.db").is_file():
        return []
    storage.refuse_missing(run.folder, run.launch.storage)
    with storage.silence():
        held = storage.connect(run.folder, run.launch.storage)
        try:
            name = storage.name_in(held, run.folder, run.launch.storage)
            return optuna.load_study(study_name=name, storage=held).get_trials(deepcopy=False)
        except KeyError:
            if run.with_folder():
                raise storage.lost(run, held) from None
            return []
        except (optuna.exceptions.StorageInternalError, DBAPIError) as problem:
            address = spec.without_password(run.launch.storage or storage.own(run.folder))
            cause = storage.first_line(problem.__cause__ or problem)
            raise UserError(f"The storage {address} cannot be read: {cause}; restore it.") from None
        finally:
            held.remove_session()


def _unfinished(run: Run, trials: list[FrozenTrial]) -> State:
    if is_driven(run.folder):
        return "running"
    half_trained = any(trial.state == TrialState.RUNNING for trial in trials)
    over = patience.stalled(trials, list(run.points()), run.study.front(), run.launch.patience_trials)
    return "ended" if over and not half_trained else "stopped"
