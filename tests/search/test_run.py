"""Whole studies with real Ray, Optuna and training, in this process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gnap_search import spec
from gnap_search.contracts import Split
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search import launch, resources
from gnap_search.search.marks import RETRY_OF, STOPPED
from gnap_search.status import Outcome
from tests.search.conftest import PARAMETERS, Notes, asked, check_laws, load, marked_processes, small_study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_session"), pytest.mark.timeout(120)]
HERE = spec.Launch()
DIVERGING = {"learning_rate": 100.0, "weight_decay": 10.0}


def run(study: spec.Study, folder: Path, notes: Notes | None = None, *, extend: bool = False) -> Outcome:
    return launch.run(study, folder, HERE, notes or Notes(), load, extend=extend)


def test_a_study_runs_silently_to_its_end_and_then_has_nothing_left_to_do(tmp_path: Path, capfd):
    notes = Notes()
    summary = run(small_study(trials=5), tmp_path / "one", notes)
    assert capfd.readouterr() == ("", "")
    assert (summary.complete, summary.failed, summary.lost, summary.interrupted) == (5, 0, 0, False)
    assert notes.workers == 2 and notes.started == [0, 1, 2, 3, 4] and notes.ended == dict.fromkeys(range(5))
    assert len(notes.points) == 15
    check_laws(Run(tmp_path / "one"))
    assert list(summary.front.points) == list(Run(tmp_path / "one").front().points)

    again = Notes()
    assert run(small_study(trials=5), tmp_path / "one", again).front.points == summary.front.points
    assert again.started == [] and again.points == []

    longer = Notes()
    assert run(small_study(trials=7), tmp_path / "one", longer, extend=True).complete == 7
    assert longer.started == [5, 6]
    check_laws(Run(tmp_path / "one"))


def test_a_study_that_learns_nothing_says_so(tmp_path: Path):
    notes = Notes()
    run(small_study(trials=1, epochs=1, parameters={"learning_rate": 0.0}), tmp_path / "one", notes)
    assert notes.messages[-1].startswith("No network does clearly better than to call every image")


def test_what_others_outdo_is_stopped_early_and_stays_so(tmp_path: Path):
    parameters = {"learning_rate": {"low": 3e-6, "high": 3e-2, "log": True}, "seed_scale": 2.0}
    # Long enough for some reports each, and all alike but for their accuracy.
    parameters["growth_trigger"] = "never"
    study = small_study(
        trials=10, epochs=12, scheduler="pareto-halving", sampler="random", parameters=parameters
    )
    summary = run(study, tmp_path / "one")
    check_laws(Run(tmp_path / "one"))
    stopped = [trial for trial in asked(Run(tmp_path / "one")) if trial.state.name == "PRUNED"]
    assert stopped and summary.complete + len(stopped) == 10
    assert all(trial.user_attrs[STOPPED] >= 6 for trial in stopped)

    again = Notes()
    assert run(study, tmp_path / "one", again).complete == summary.complete
    assert again.started == []


def test_no_more_workers_start_than_there_are_trials(tmp_path: Path):
    notes = Notes()
    run(small_study(trials=1), tmp_path / "one", notes)
    assert notes.workers == 1


def test_a_worker_that_is_killed_goes_on_from_its_checkpoint(tmp_path: Path):
    killed: list[int] = []

    def kill_once(point: Point) -> None:
        if not killed and point.trial == 0:
            killed.extend(_workers())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    summary = run(small_study(trials=2, epochs=30), tmp_path / "one", Notes(kill_once))
    assert killed and summary.complete == 2 and summary.failed == 0
    check_laws(Run(tmp_path / "one"))


def test_a_trial_whose_worker_keeps_dying_fails_and_is_retried(tmp_path: Path, capfd):
    notes = Notes()
    with _killing_workers(while_true=lambda: 0 not in notes.ended):
        summary = run(small_study(trials=1), tmp_path / "one", notes)
    assert "worker process died 3 times" in (notes.ended[0] or "")
    assert capfd.readouterr() == ("", "")
    assert (summary.complete, summary.failed, summary.lost) == (1, 1, 0)
    check_laws(Run(tmp_path / "one"))


def test_a_worker_that_cannot_start_is_told_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(resources, "threads", lambda _: 0)  # which torch refuses
    with pytest.raises(UserError, match=r"All 2 trials failed; .* could not start: RuntimeError: .*positive"):
        run(small_study(trials=1), tmp_path / "one")


def test_some_trials_diverge_and_the_study_goes_on(tmp_path: Path):
    parameters = {**PARAMETERS, "weight_decay": [10.0, 0.01], "learning_rate": [100.0, 0.003]}
    summary = run(small_study(trials=6, parameters=parameters), tmp_path / "one", notes := Notes())
    reasons = [reason for reason in notes.ended.values() if reason]
    assert reasons and all("loss became" in reason for reason in reasons)
    assert summary.complete and summary.failed == len(reasons) and summary.lost * 2 == summary.failed
    assert sum(RETRY_OF in trial.user_attrs for trial in asked(Run(tmp_path / "one"))) == summary.lost
    check_laws(Run(tmp_path / "one"))


def test_a_study_whose_trials_all_fail_ends_with_the_last_reason(tmp_path: Path):
    study = small_study(trials=2, parameters={**PARAMETERS, **DIVERGING})
    with pytest.raises(UserError, match=r"All 4 trials failed; the last one: .*loss became"):
        run(study, tmp_path / "one")


def test_limits_are_told_to_the_sampler_and_kept_by_the_front(tmp_path: Path):
    study = small_study(constraints={"max_params": 3000}, epochs=6)
    summary = run(study, tmp_path / "one")
    assert all(point.parameters <= 3000 for point in summary.front.points)
    assert all("max_params" in trial.constraints for trial in asked(Run(tmp_path / "one")))
    check_laws(Run(tmp_path / "one"))


@contextlib.contextmanager
def _killing_workers(while_true: Callable[[], bool]) -> Iterator[None]:
    """Kill every training process as soon as there is one."""

    def kill() -> None:
        while while_true():
            for pid in _workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    yield
    killer.join()


def _workers() -> list[int]:
    """The processes that train: Ray gives them the name of what they do."""
    found = []
    for pid in marked_processes(os.environ["GNAP_SEARCH_TEST_SESSION"]):
        with contextlib.suppress(OSError):  # it has just ended
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith((b"ray::_Inner", b"ray::Trainable")):
                found.append(pid)
    return found


def test_workers_read_images_where_the_driver_put_them() -> None:
    """No trial has a copy of its own: what it sees lies in the memory that all processes of a host share."""
    import ray

    images = np.zeros((2_000, 1, 28, 28), np.uint8)
    split = Split(images, np.zeros(len(images), np.int64))

    @ray.remote
    def mapped(given: Split) -> str:
        address = given.images.__array_interface__["data"][0]
        for line in Path("/proc/self/maps").read_text().splitlines():
            low, high = (int(bound, 16) for bound in line.split()[0].split("-"))
            if low <= address < high:
                return line
        return ""

    kept = ray.put(split)
    assert ["plasma" in line for line in ray.get([mapped.remote(kept) for _ in range(2)])] == [True, True]
