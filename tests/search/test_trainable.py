"""A trial in a worker: one process trains many, each like a fresh one; what goes wrong is a result too."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from gnap_search.search import drive
from gnap_search.search.ledger import Ask
from gnap_search.search.lock import Lease
from gnap_search.search.trainable import Trainable
from tests.search.conftest import digits, small_study

DIVERGING = {"learning_rate": 100.0, "weight_decay": 10.0}


class Worker(Trainable):
    """The data come from here instead of Ray's object store."""

    def setup(self, config: dict[str, Any]) -> None:
        super().setup(config, digits())


@pytest.fixture
def configure(tmp_path: Path):
    lease = Lease.grant(tmp_path)

    def configuration(number: int, folder: str = "", **settings: Any) -> dict[str, Any]:
        plan = drive.plan(small_study(epochs=2), Ask(number, {"pruning_strength": 1e-3, **settings}))
        return {
            "plan": plan.to_json(),
            "folder": str(tmp_path / (folder or "run") / "trials" / str(number)),
            "lease": [str(lease.path), lease.token],
            "threads": 1,
            "device": "cpu",
            "pace": 0.0,  # a report an epoch
            "kept": [],
        }

    return configuration


def finish(worker: Worker) -> list[dict[str, Any]]:
    results = [worker.step()]
    while not results[-1]["done"]:
        results.append(worker.step())
    return results


def points(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was reported, without the time that it took."""
    return [json.loads(line) | {"seconds": 0} for result in results for line in result["points"]]


def test_a_reused_worker_trains_bit_for_bit_like_a_fresh_one(configure, tmp_path: Path):
    reused = Worker(configure(0, growth_factor=1.9))
    finish(reused)
    assert reused.reset_config(configure(1))
    again = finish(reused)
    fresh = finish(Worker(configure(1, folder="other")))
    assert points(again) == points(fresh)
    models = [(tmp_path / run / "trials/1/models/2.safetensors").read_bytes() for run in ("run", "other")]
    assert models[0] == models[1]


def test_every_epoch_is_reported_once(configure):
    results = finish(Worker(configure(0)))
    assert [len(result["points"]) for result in results] == [1, 1]
    assert [result["done"] for result in results] == [False, True]


def test_a_worker_that_comes_after_a_dead_one_reports_all_and_trains_the_rest(configure):
    first = Worker(configure(0)).step()
    results = finish(Worker(configure(0)))
    assert results[0]["points"][:1] == first["points"]
    assert [point["epoch"] for point in points(results)] == [1, 2]


def test_a_diverging_trial_is_a_failure_with_its_reason(configure):
    (*_, last) = finish(Worker(configure(0, **DIVERGING)))
    assert last["done"] and "loss became" in last["failure"]


def test_an_exception_is_a_failure_with_one_line_and_its_story_in_the_folder(configure):
    configuration = configure(0)
    Path(configuration["folder"]).mkdir(parents=True)
    (Path(configuration["folder"]) / "models").write_text("in the way")
    result = Worker(configuration).step()
    assert result["failure"].startswith("FileExistsError: ") and "\n" not in result["failure"]
    assert "Traceback" in (Path(configuration["folder"]) / "error.txt").read_text()


def test_a_process_that_an_exception_may_have_spoilt_begins_no_other_trial(
    configure, monkeypatch: pytest.MonkeyPatch
):
    configuration = configure(0)
    Path(configuration["folder"]).mkdir(parents=True)
    (Path(configuration["folder"]) / "models").write_text("in the way")
    worker = Worker(configuration)
    worker.step()
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit):
        worker.reset_config(configure(1))
    diverged = Worker(configure(2, **DIVERGING))
    finish(diverged)
    assert diverged.reset_config(configure(3)), "the settings were to blame, not the process"


@pytest.mark.parametrize(
    "file", ["history.jsonl.draft", "checkpoint.safetensors.draft", "models/1.safetensors.draft"]
)
def test_a_full_disk_is_no_failure_of_the_trial(configure, file: str):
    configuration = configure(0)
    full = Path(configuration["folder"]) / file
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    (*_, result) = finish(Worker(configuration))
    assert result["done"] and result["failure"] is None and "No space left" in result["halt"]


def test_a_damaged_checkpoint_is_told_and_the_trial_starts_again(configure):
    configuration = configure(0)
    finish(Worker(configuration))
    (Path(configuration["folder"]) / "checkpoint.safetensors").write_bytes(b"rubbish")
    results = finish(Worker(configuration))
    assert "starts again" in results[0]["notice"]
    assert [point["epoch"] for point in points(results)] == [1, 2]


def test_an_ending_study_stops_its_trials_after_the_epoch(configure):
    configuration = configure(0)
    worker = Worker(configuration)
    worker.step()
    Lease(*map_lease(configuration)).end()
    result = worker.step()
    assert result["done"] and result["ending"] and result["failure"] is None
    assert (Path(configuration["folder"]) / "checkpoint.safetensors").exists()


def test_a_worker_of_an_earlier_driver_writes_nothing(configure):
    configuration = configure(0)
    Lease.grant(Path(configuration["lease"][0]).parent)
    result = Worker(configuration).step()
    assert result["done"] and "belongs to another driver" in result["halt"]
    assert not Path(configuration["folder"]).exists()


def test_a_worker_that_is_held_for_dead_writes_no_more_once_its_trial_goes_on_elsewhere(configure):
    configuration = configure(0)
    cut_off = Worker(configuration)
    cut_off.step()
    finish(Worker(configuration))
    files = {path: path.read_bytes() for path in Path(configuration["folder"]).rglob("*") if path.is_file()}
    result = cut_off.step()
    assert result["done"] and "belongs to another process" in result["failure"]
    assert {path: path.read_bytes() for path in files} == files
    assert len(Path(configuration["folder"], "history.jsonl").read_text().splitlines()) == 2


def test_a_node_that_does_not_see_the_run_folder_is_named_with_what_to_do(configure):
    configuration = configure(0)
    Path(configuration["lease"][0]).unlink()
    result = Worker(configuration).step()
    assert result["done"] and result["halt"].startswith(f"{socket.gethostname()} does not see ")
    assert "file system that all nodes share" in result["halt"]
    assert not Path(configuration["folder"]).exists()


def map_lease(configuration: dict[str, Any]) -> tuple[Path, str]:
    path, token = configuration["lease"]
    return Path(path), token


def test_plans_differ_by_their_trial_alone():
    study = small_study()
    one, other = (drive.plan(study, Ask(number, {})) for number in (0, 1))
    assert one.seed != other.seed
    assert drive.plan(study, Ask(0, {})) == one
