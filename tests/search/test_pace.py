"""Few workers report every second; many report so often together as the driver can hear."""

from __future__ import annotations

import pytest
from ray.tune.experiment import Trial

from gnap_search.search import pace
from gnap_search.search.scheduler import Scheduler


@pytest.mark.parametrize(("workers", "seconds"), [(0, 1), (1, 1), (20, 1), (40, 2), (1000, 50)])
def test_the_time_between_reports_follows_the_number_of_workers(workers: int, seconds: float) -> None:
    assert pace.between_reports(workers) == seconds


def test_trials_begin_in_the_order_in_which_they_were_proposed() -> None:
    scheduler, trials = Scheduler(proposals=None), [Trial("training", stub=True) for _ in range(3)]
    assert scheduler.choose_trial_to_run(None) is None
    for trial in trials:
        scheduler.on_trial_add(None, trial)
    for trial in trials:
        assert scheduler.choose_trial_to_run(None) is trial
        assert scheduler.choose_trial_to_run(None) is trial
        trial.set_status(Trial.RUNNING)
    assert scheduler.choose_trial_to_run(None) is None
