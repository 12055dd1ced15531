"""A study on several machines survives what happens to a node, to its driver, and to the cluster's head."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.training import checkpoint
from tests.search.conftest import asked, check_laws
from tests.search.drivers import points_known
from tests.search.machines import PLACE, Machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("machines")]


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """A cluster for all tests of this file; each adds the nodes that it trains on."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", PLACE["RAY_AUTH_MODE"])
        cluster = Machines()
        cluster.start()
        yield cluster
        cluster.end()


def test_what_dies_with_a_node_goes_on_elsewhere_and_new_processors_are_used(machines, drivers):
    first = machines.join(cpus=1)
    one = drivers(trials=3, epochs=30)
    one.address = machines.address
    driver = one.start()
    one.wait_for_epochs(driver, more=3)
    first.kill()
    known, again = points_known(one.run), trained_again(one.run)
    machines.join(cpus=2)
    output, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, output
    assert "2 at a time" in output
    check_kept(one.run, known, again)


def test_a_study_outlives_its_driver_and_the_head_of_its_cluster(machines, drivers):
    machines.join(cpus=2)
    one = drivers(trials=2, epochs=60)  # so many that two kills come before the end
    one.address = machines.address
    driver = one.start()
    one.wait_for_epochs(driver, more=3)
    one.kill(driver)
    again = trained_again(one.run)
    driver = one.start()
    one.wait_for_epochs(driver, more=3)
    machines.head.kill()
    output, _ = driver.communicate(timeout=50)  # Ray would end it after a minute
    assert driver.returncode == 2
    assert f"cluster at {one.address} is gone" in output and f"resume {one.run.name}" in output
    known, again = points_known(one.run), again + trained_again(one.run)
    machines.start()
    machines.join(cpus=2)
    one.address = machines.address
    one.finish()
    check_kept(one.run, known, again)


def trained_again(run: Run) -> int:
    """How many epochs a kill costs at this moment: those in the histories and in no checkpoint."""
    return sum(_unsaved(run, trial) for trial in run.trials())


def _unsaved(run: Run, trial: int) -> int:
    told = sum(point.trial == trial for point in run.points())
    path = run.trial_folder(trial) / "checkpoint.safetensors"
    if path.exists():
        return told - len(checkpoint.load(path)[1]["points"])
    return 0 if told == run.study.epochs else told


def check_kept(run: Run, known: Mapping[str, Point], again: int) -> None:
    """Nothing that was there at the kill is lost or changed; `pytest -s` shows the figures."""
    after = points_known(run)
    lost = [name for name, point in known.items() if after.get(name) != point]
    states = Counter(trial.state.name for trial in asked(run))
    sys.stdout.write(f"epochs lost {len(lost)}, trained again {again}, trials {dict(states)}\n")
    assert not lost
    check_laws(run)
