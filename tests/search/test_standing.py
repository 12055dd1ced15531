"""The driver's front is the one that the histories give, and only its networks stay on the disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnap_search.front import Front
from gnap_search.results import History
from gnap_search.runs import Run
from gnap_search.search.standing import Standing
from tests.search.conftest import Notes, a_point, small_study


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "study.toml").write_text(small_study().to_toml())
    return Run(tmp_path)


def train(run: Run, trial: int, epoch: int, parameters: int, accuracy: float):
    """What a worker leaves of an epoch."""
    point = a_point(trial=trial, epoch=epoch, parameters=parameters, validation_accuracy=accuracy)
    run.model(point).parent.mkdir(parents=True, exist_ok=True)
    run.model(point).write_text("a network")
    History(run.trial_folder(trial) / "history.jsonl").append(point)
    return point


def kept(run: Run) -> set[Path]:
    return set(run.folder.glob("trials/*/models/*.safetensors"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(0, 5)), max_size=25))
def test_networks_on_the_disk_are_those_of_the_front(tmp_path_factory, reports):
    folder = tmp_path_factory.mktemp("run")
    (folder / "study.toml").write_text(small_study().to_toml())
    run = Run(folder)
    standing, epochs = Standing(run, Notes()), [0] * 4
    for trial, parameters, accuracy in reports:
        epochs[trial] += 1
        point = train(run, trial, epochs[trial], parameters, accuracy / 10)
        standing.report(trial, [point], None)
    assert list(standing.front.points) == list(run.front().points)
    assert kept(run) == {run.model(point) for point in run.front().points}


def test_a_point_counts_once_however_often_it_is_reported(run: Run):
    notes = Notes()
    standing = Standing(run, notes)
    points = [train(run, 0, epoch, 100, epoch / 10) for epoch in (1, 2)]
    standing.report(0, points[:1], None)
    standing.report(0, points, None)
    assert notes.points == points
    assert standing.last(0) == points[-1]


def test_a_new_study_that_has_too_little_time_is_told_so_and_a_resumed_one_is_not(run: Run):
    new, resumed = Notes(), Notes()
    standing = Standing(run, new, timeout=1)
    points = [dataclasses.replace(train(run, 0, epoch, 100, 0.5), seconds=9.0) for epoch in (1, 2)]
    standing.report(0, points, None)
    Standing(run, resumed, timeout=1).report(1, [dataclasses.replace(points[1], trial=1)], None)
    assert [text.partition(" takes ")[0] for text in new.messages] == ["a training of 3 epochs"]
    assert not resumed.messages


def test_the_next_driver_clears_away_what_the_last_one_left(run: Run):
    train(run, 0, 1, 100, 0.5)
    best = train(run, 0, 2, 100, 0.9)
    going = train(run, 1, 1, 200, 0.3)
    ahead = run.model(going).with_name("2.safetensors")  # written, and then killed before its line
    ahead.write_text("a network")
    for trial in (0, 1):
        (run.trial_folder(trial) / "checkpoint.safetensors").write_text("a state")
    Standing(run, Notes()).clear_away(settled={0})
    assert kept(run) == {run.model(best), ahead}
    assert not (run.trial_folder(0) / "checkpoint.safetensors").exists()
    assert (run.trial_folder(1) / "checkpoint.safetensors").exists()


def test_a_trial_that_starts_again_is_counted_again(run: Run):
    notes = Notes()
    best = train(run, 0, 1, 100, 0.9)
    other = train(run, 1, 1, 100, 0.8)
    standing = Standing(run, notes)
    assert list(standing.front.points) == [best]
    standing.report(0, [], "trial 0 starts again")
    assert list(standing.front.points) == [other]
    standing.report(0, [best], None)
    assert list(standing.front.points) == [best]
    assert notes.messages == ["trial 0 starts again"]


def test_a_budget_keeps_points_off_the_front(tmp_path: Path):
    (tmp_path / "study.toml").write_text(small_study(constraints={"max_params": 150}).to_toml())
    run = Run(tmp_path)
    standing = Standing(run, Notes())
    small, large = train(run, 0, 1, 100, 0.5), train(run, 0, 2, 200, 0.9)
    standing.report(0, [small, large], None)
    assert list(standing.front.points) == [small]
    assert kept(run) == {run.model(small)}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(0, 5)), min_size=8, max_size=25))
def test_settled_trials_are_worth_what_all_their_points_are(tmp_path_factory, reports):
    folder = tmp_path_factory.mktemp("run")
    (folder / "study.toml").write_text(small_study(constraints={"max_params": 5}).to_toml())
    run, told = Run(folder), [[] for _ in range(4)]
    standing = Standing(run, Notes())
    for trial, parameters, accuracy in reports:
        point = a_point(
            trial=trial,
            epoch=len(told[trial]) + 1,
            parameters=parameters,
            macs=10 * parameters,
            validation_accuracy=accuracy / 10,
        )
        told[trial].append(point)
        standing.report(trial, [point], None)
    costs = [standing.cost(trial) for trial in range(4)]
    for trial in (1, 2, 3):
        standing.forget_checkpoint(trial)
    assert [standing.cost(trial) for trial in range(4)] == costs
    assert [standing.last(trial) for trial in range(4)] == [points[-1] if points else None for points in told]
    standing.report(0, [], "trial 0 starts again")  # what it had beaten comes back
    left = [point for points in told[1:] for point in points]
    assert list(standing.front.points) == list(Front(left, standing.front.budget).points)
    assert standing.cost(0) == 0


@pytest.mark.parametrize(("length", "goes_on"), [(10, False), (11, True)])
def test_a_driver_that_goes_on_judges_trials_at_their_newest_points_alone(
    tmp_path: Path, length: int, goes_on: bool
):
    (tmp_path / "study.toml").write_text(small_study(epochs=20, scheduler="pareto-halving").to_toml())
    run = Run(tmp_path)
    for trial in range(10):
        for epoch in range(1, 21):
            train(run, trial, epoch, 1000 + trial, 0.9 - 0.01 * trial)
    for epoch in range(1, length + 1):
        train(run, 10, epoch, 4000, 0.5)
    standing = Standing(run, Notes())
    assert standing.worth_going_on(10) is goes_on
    assert standing.worth_going_on(0) and standing.worth_going_on(99)
