"""Scheduler: what trials report goes to the proposals, and Ray Tune is told which of them end early."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from gnap_search.search.proposals import Proposals

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


class Scheduler(FIFOScheduler):
    """Trials begin in the order of the proposals, and go on for as long as these find them worth it."""

    def __init__(self, proposals: Proposals) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray is annotated in part
        self._proposals = proposals
        self._added: deque[Trial] = deque()

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """One that has been proposed."""
        del tune_controller
        self._added.append(trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """The first one that has not begun. Ray itself looks through all that have been, at every event."""
        del tune_controller
        while self._added and self._added[0].status != Trial.PENDING:
            self._added.popleft()
        return self._added[0] if self._added else None

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """One report; the last one of a trial comes to the proposals alone."""
        del tune_controller
        return self.CONTINUE if self._proposals.worth_going_on(trial.trial_id, result) else self.STOP
