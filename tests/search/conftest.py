"""What the search's tests share: small studies, a listener that takes notes, the laws of a finished run."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

from gnap_search import datasets, spec
from gnap_search.contracts import Data
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search import storage
from gnap_search.search.marks import REASON, RETRY_OF, STOPPED, counted

PARAMETERS = {
    "pruning_strength": {"low": 1e-4, "high": 3e-3, "log": True},
    "growth_factor": {"low": 1.2, "high": 2.0},
    "saturation_patience": {"low": 1, "high": 4},
}


class Notes:
    """A listener that remembers."""

    def __init__(self, on_epoch: Callable[[Point], None] = lambda _: None) -> None:
        self.started: list[int] = []
        self.points: list[Point] = []
        self.ended: dict[int, str | None] = {}
        self.repeated: list[int] = []
        self.messages: list[str] = []
        self.workers = 0
        self._on_epoch = on_epoch

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        del settled, target, front
        self.workers = workers

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        del settings, epochs
        self.started.append(trial)

    def epoch_ended(self, point: Point, front: Front) -> None:
        del front
        self.points.append(point)
        self._on_epoch(point)

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        self.ended[trial] = failure
        self.repeated += [trial] if again else []

    def message(self, text: str) -> None:
        self.messages.append(text)


def small_study(**changes: Any) -> spec.Study:
    """A study of digits that takes a few seconds."""
    values = {"dataset": "digits", "trials": 4, "epochs": 3, "seed": 7, "parameters": PARAMETERS}
    values["scheduler"] = "none"  # so that every trial comes to its end
    return spec.Study.model_validate({**values, **changes})


@functools.lru_cache(maxsize=1)
def digits() -> Data:
    return datasets.load("digits")


def load(study: spec.Study, launch: spec.Launch) -> Data:
    del launch
    return digits() if study.dataset == "digits" else datasets.load(study.dataset)


def a_point(**changes: Any) -> Point:
    values = {field: 0 for field in Point.__dataclass_fields__}
    values |= {"epoch": 1, "parameters": 100, "validation_accuracy": 0.5, "phase": "finishing", "widths": {}}
    return Point(**{**values, **changes})


def asked(run: Run) -> list[optuna.trial.FrozenTrial]:
    """All of Optuna's trials of a run."""
    held = storage.connect(run.folder, run.launch.storage)
    trials = storage.study(held, run.name).get_trials()
    held.remove_session()
    held.engine.dispose()
    return trials


def check_laws(run: Run) -> None:
    """What holds for every study that has come to its end, however often it was killed on the way."""
    trials = list(counted(asked(run)))
    states = Counter(trial.state.name for trial in trials)
    assert set(states) <= {"COMPLETE", "PRUNED", "FAIL"}
    originals = [trial for trial in trials if RETRY_OF not in trial.user_attrs]
    assert len(originals) == run.study.trials
    retried = Counter(trial.user_attrs[RETRY_OF] for trial in trials if RETRY_OF in trial.user_attrs)
    failed = {trial.number for trial in originals if trial.state.name == "FAIL"}
    assert retried == Counter(failed)
    assert all(trial.user_attrs[REASON] for trial in trials if trial.state.name == "FAIL")
    for trial in trials:
        if trial.state.name != "FAIL":
            _check_trained(run, trial)
    _check_files(run)


def _check_trained(run: Run, trial: optuna.trial.FrozenTrial) -> None:
    points = [point for point in run.points() if point.trial == trial.number]
    length = trial.user_attrs.get(STOPPED, run.study.epochs)
    assert [point.epoch for point in points] == list(range(1, length + 1))
    if trial.state.name == "COMPLETE":
        assert trial.values[0] == points[-1].validation_accuracy and length == run.study.epochs
    else:
        assert run.study.scheduler != "none" and length < run.study.epochs
    for way_on in ("checkpoint.safetensors", "worker.lease"):
        assert not (run.trial_folder(trial.number) / way_on).exists()


def _check_files(run: Run) -> None:
    kept = {path.relative_to(run.folder) for path in run.folder.glob("trials/*/models/*")}
    wanted = {run.model(point).relative_to(run.folder) for point in run.front().points}
    assert kept == wanted
    assert set(run.test_accuracies) >= {point.id for point in run.front().points}


def marked_processes(mark: str) -> list[int]:
    """The processes that inherited an environment with this text in it, and their children.

    Ray's workers write their titles over their environments, so that they are known by their parent alone.
    """
    environments, parents = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            environments[int(entry.name)] = (entry / "environ").read_bytes()
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    marked = {pid for pid, environment in environments.items() if mark.encode() in environment}
    return [pid for pid in environments if {pid, parents.get(pid)} & marked and pid != os.getpid()]


def all_gone(mark: str, seconds: float = 20) -> bool:
    """Whether those processes end within a while."""
    end = time.monotonic() + seconds
    while marked_processes(mark) and time.monotonic() < end:
        time.sleep(0.1)
    return not marked_processes(mark)


def kill_all(mark: str) -> None:
    """SIGKILL for a driver and everything that it started."""
    while pids := marked_processes(mark):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes `Drivers` of new studies; none of their processes outlives the test."""
    from tests.search.drivers import Drivers  # which needs this file

    made: list[Drivers] = []

    def make(storage: str | None = None, **study: object) -> Drivers:
        name = f"kill-{secrets.token_hex(4)}"
        made.append(Drivers(tmp_path / name, storage, **study))
        return made[-1]

    yield make
    for one in made:
        one.end()
