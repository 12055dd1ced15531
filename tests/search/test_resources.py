"""Whole numbers and 1/n shares, and no more of them than there are."""

from __future__ import annotations

import pytest

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.search import resources
from gnap_search.search.resources import Resources


@pytest.mark.parametrize(
    ("share", "trials"), [(1, 8), (2, 4), (3, 2), (0.5, 16), (0.33, 24), (0.25, 32), (0.1, 80)]
)
def test_as_many_trials_run_as_fit(share: float, trials: int):
    trial = resources.per_trial(spec.Launch(cpus_per_trial=0.1, gpus_per_trial=share))
    assert Resources(cpus=64, gpus=8).workers(trial) == trials


@pytest.mark.parametrize("share", [0.15, 0.4, 0.66, 0.9, 1.5, 2.25])
def test_other_shares_are_refused(share: float):
    with pytest.raises(UserError, match=r"--gpus-per-trial .* whole number"):
        resources.per_trial(spec.Launch(gpus_per_trial=share))
    with pytest.raises(UserError, match="--cpus-per-trial"):
        resources.per_trial(spec.Launch(cpus_per_trial=share))


def test_the_scarcer_one_decides():
    assert Resources(cpus=4, gpus=8).workers(Resources(cpus=1, gpus=1)) == 4
    assert Resources(cpus=16, gpus=2).workers(Resources(cpus=1, gpus=0.5)) == 4


def test_more_than_there_is_is_refused():
    few = [Resources(cpus=2, gpus=1)]
    with pytest.raises(UserError, match="--cpus-per-trial 3 is too much: this machine has 2 processors"):
        resources.refuse_too_few(few, Resources(cpus=3, gpus=0), None)
    with pytest.raises(UserError, match="--gpus-per-trial 2 is too much: this machine has 1 GPUs"):
        resources.refuse_too_few(few, Resources(cpus=1, gpus=2), None)
    resources.refuse_too_few(few, Resources(cpus=2, gpus=1), None)


THERE = "10.0.0.1:6379"


def test_a_trial_takes_all_that_it_needs_from_one_node():
    head, small, large = (Resources(cpus, gpus) for cpus, gpus in ((0, 0), (3, 1), (5, 0)))
    assert resources.workers([head, small, large], Resources(cpus=2, gpus=0)) == 3
    assert resources.workers([head, small, large], Resources(cpus=2, gpus=1)) == 1
    assert resources.workers([head], Resources(cpus=0.5, gpus=0)) == resources.workers([], head) == 0
    with pytest.raises(
        UserError,
        match=f"8 is too much: the largest node of the cluster at {THERE} has 5 processors",
    ):
        resources.refuse_too_few([small, large], Resources(cpus=8, gpus=0), THERE)
    with pytest.raises(UserError, match="no single node has as many of both"):
        resources.refuse_too_few([small, large], Resources(cpus=4, gpus=1), THERE)
    with pytest.raises(UserError, match=f"{THERE} has 0 processors"):
        resources.refuse_too_few([], Resources(cpus=1, gpus=0), THERE)


def test_a_trial_computes_with_its_own_processors():
    assert [resources.threads(Resources(cpus, 0)) for cpus in (0.25, 1, 4)] == [1, 1, 4]


def test_this_machine_has_a_processor():
    assert resources.of_this_machine(with_gpus=False).cpus >= 1
