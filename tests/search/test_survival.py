"""A study survives what happens to its driver: SIGKILL at any moment, Ctrl-C once, Ctrl-C twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.search.conftest import all_gone, asked, check_laws
from tests.search.drivers import Drivers, points_known

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
AT_ONCE = 8  # seconds on a busy machine; it takes a few tenths of one on an idle one
POSTGRES = os.environ.get("GNAP_SEARCH_TEST_POSTGRES")


def kill_at_random(one: Drivers, generator: random.Random) -> None:
    """Kill one driver while it trains and the next while it starts; what the histories had, they keep."""
    driver = one.start()
    one.wait_for_epochs(driver)
    time.sleep(generator.uniform(0, 2))
    one.kill(driver)
    known = points_known(one.run)
    driver = one.start()
    time.sleep(generator.uniform(0, 6))
    one.kill(driver)
    after = points_known(one.run)
    assert {name: after.get(name) for name in known} == known


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_moment_a_study_ends_as_if_nothing_had_happened(drivers, seed: int):
    one = drivers(trials=4, epochs=8)
    kill_at_random(one, random.Random(seed))
    one.finish()
    check_laws(one.run)
    assert all_gone(one.mark)


@pytest.mark.skipif(not POSTGRES, reason="GNAP_SEARCH_TEST_POSTGRES names no database")
def test_killed_with_its_trials_in_postgresql(drivers):
    one = drivers(POSTGRES, trials=4, epochs=8)
    kill_at_random(one, random.Random(4))
    one.finish()
    check_laws(one.run)
    assert not (one.run.folder / "study.db").exists()


def test_a_second_driver_is_refused_and_ctrl_c_loses_nothing_once_or_twice(drivers):
    one = drivers(trials=2, epochs=40)
    driver = one.start()
    one.wait_for_epochs(driver)
    check_refused(one, driver)
    check_gentle(one, driver)
    gentle = points_known(one.run)
    driver = one.start()
    one.wait_for_epochs(driver)
    check_at_once(driver)
    known = points_known(one.run)
    assert gentle.items() <= known.items()
    one.finish()
    assert known.items() <= points_known(one.run).items()
    check_laws(one.run)


def check_refused(one: Drivers, first: subprocess.Popen[str]) -> None:
    second = one.start()
    output, _ = second.communicate(timeout=60)
    assert second.returncode != 0 and f"is being driven by process {first.pid} on" in output
    assert first.poll() is None


def check_gentle(one: Drivers, driver: subprocess.Popen[str]) -> None:
    """Ctrl-C once: the driver ends gently, and says how to go on."""
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does, to Ray's processes as well
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert f"resume {one.run.name}" in output and "Traceback" not in output
    assert {trial.state.name for trial in asked(one.run)} == {"RUNNING"}
    assert any(one.run.folder.glob("trials/*/checkpoint.safetensors"))
    assert all_gone(one.mark)


def check_at_once(driver: subprocess.Popen[str]) -> None:
    """Ctrl-C twice: it is out at once."""
    os.killpg(driver.pid, signal.SIGINT)
    time.sleep(0.01)
    os.killpg(driver.pid, signal.SIGINT)
    start = time.monotonic()
    assert driver.wait(timeout=60) == 130
    assert time.monotonic() - start < AT_ONCE
    driver.communicate()
