"""Scheduler: what trials report goes to the proposals, and Ray Tune is told which of them end early."""

from __future__ import annotations

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

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """One report; the last one of a trial comes to the proposals alone."""
        del tune_controller
        return self.CONTINUE if self._proposals.worth_going_on(trial.trial_id, result) else self.STOP
