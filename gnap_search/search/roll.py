"""Roll: a study's trials, counted as they end, so that no ask has to look at all that have ended before."""

from __future__ import annotations

import bisect
import datetime
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from gnap_search.search.marks import RETRY_OF, is_counted


class Roll:
    """What is known of trials that are asked one after the other, and end in any order.

    What has ended does not change any more, so each trial is looked at until it has, and never again.

    Attributes:
        ended: the counted trials that have ended, in the order of the moments at which they did.
        waiting: whether any is queued.
        originals: how many of those that count are no retries.
    """

    def __init__(self) -> None:
        self.ended: list[FrozenTrial] = []
        self.waiting, self.originals = False, 0
        self._open: list[int] = []
        self._seen = self._ended_originals = 0

    def follow(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in how all trials are now, each at the place of its number."""
        looked_at = [trials[number] for number in (*self._open, *range(self._seen, len(trials)))]
        for trial in looked_at:
            if trial.state.is_finished() and is_counted(trial):
                bisect.insort(self.ended, trial, key=_moment)
                self._ended_originals += RETRY_OF not in trial.user_attrs
        left = [trial for trial in looked_at if not trial.state.is_finished()]
        self._open, self._seen = [trial.number for trial in left], len(trials)
        self.waiting = any(trial.state == TrialState.WAITING for trial in left)
        going = sum(RETRY_OF not in trial.user_attrs and is_counted(trial) for trial in left)
        self.originals = self._ended_originals + going


def _moment(trial: FrozenTrial) -> tuple[datetime.datetime, int]:
    assert trial.datetime_complete is not None  # it has ended
    return trial.datetime_complete, trial.number
