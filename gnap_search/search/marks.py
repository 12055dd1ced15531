"""Marks: the user attributes of a study's trials in Optuna, and what they say of them.

A FAIL trial has `reason` where training failed, or `discarded` where it was never trained (asked twice the
same, or its driver died while asking). What retries a failed one has `retry_of`, what was stopped early
`stopped_after`. What a study was given has its place there: `enqueued` at a trial that came of a
configuration, `known` on a COMPLETE trial taken over from another study; `from_study` names that study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optuna.trial import FrozenTrial, TrialState

REASON, DISCARDED, RETRY_OF, STOPPED = "reason", "discarded", "retry_of", "stopped_after"
ENQUEUED, KNOWN, FROM_STUDY = "enqueued", "known", "from_study"


def counted(trials: Iterable[FrozenTrial]) -> Iterator[FrozenTrial]:
    """The study's own trials, but for discarded ones."""
    return filter(is_counted, trials)


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial is the study's own, and was not discarded."""
    attributes = trial.user_attrs
    return DISCARDED not in attributes and FROM_STUDY not in attributes


def enqueued(trials: Iterable[FrozenTrial]) -> set[int]:
    """The places of the configurations that some counted trials came of."""
    return {int(trial.user_attrs[ENQUEUED]) for trial in trials if ENQUEUED in trial.user_attrs}


def not_retried(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The proposals among some counted trials that failed, and of which no retry has been queued or asked."""
    present = list(trials)
    retried = {trial.user_attrs.get(RETRY_OF) for trial in present}
    failed = [trial for trial in present if trial.state == TrialState.FAIL and trial.number not in retried]
    return [trial for trial in failed if RETRY_OF not in trial.user_attrs]


def failed_again(trial: FrozenTrial) -> bool:
    """Whether a failed trial was a retry that was trained."""
    return RETRY_OF in trial.user_attrs and REASON in trial.user_attrs
