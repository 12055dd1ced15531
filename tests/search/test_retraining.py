"""A front's trials with fresh seeds: they come to what trainings by hand come to, and none is lost."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gnap_search
from gnap_search import spec
from gnap_search.confirmation import Repeat
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.results import History, Point
from gnap_search.runs import Run
from gnap_search.search import confirm, retraining
from gnap_search.search.lock import DriverLock
from gnap_search.search.retraining import Progress, Retraining, Retrainings
from gnap_search.threads import one_thread
from gnap_search.training import evaluate, loop
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial
from tests.search.conftest import Notes, digits, kill_all, load, small_study

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("ray")]
EPOCHS, SEEDS = 4, 2
SCALES = (0.5, 2.0)  # of the two trials of the study: a small network and a good one
DIVERGING = {"learning_rate": 100.0, "weight_decay": 10.0}


def train(plan: Plan, folder: Path) -> Iterator[Trial]:
    """A trial after each of its epochs."""
    with one_thread():
        trial = Trial(plan, digits(), folder)
        while not trial.finished:
            trial.advance()
            yield trial


def by_hand(plan: Plan, folder: Path) -> dict[int, Repeat]:
    """Epoch -> what a training that knows of no study gives, the network scored while it lives."""
    found = {}
    for trial in train(plan, folder):
        point = trial.points[-1]
        test = evaluate.accuracy(trial.trainer.classifier, digits().test, trial.trainer.task)
        found[point.epoch] = Repeat(plan.seed, point.validation_accuracy, test, point.parameters, point.macs)
    return found


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A study of two trials as a search leaves it."""
    run, study = Run(tmp_path_factory.mktemp("searched") / "one"), small_study(trials=2, epochs=EPOCHS)
    for number, scale in enumerate(SCALES):
        plan = Plan(number, seed=7 + number, settings={"seed_scale": scale}, **study.for_each_trial())
        assert list(train(plan, run.trial_folder(number)))
    (run.folder / "study.toml").write_text(study.to_toml())
    (run.folder / "launch.toml").write_text(spec.Launch().to_toml())
    assert {point.trial for point in run.front().points} == {0, 1}
    return run


@pytest.fixture(scope="module")
def expected(searched: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Repeat]]:
    """Point id -> what the front's trials give by hand with each of the fresh seeds."""
    place, front = tmp_path_factory.mktemp("by-hand"), searched.front().points
    figures = {
        (one.plan.trial, one.plan.seed): by_hand(one.plan, place / f"{one.plan.trial}-{one.plan.seed}")
        for one in retraining.wanted(searched, front, SEEDS)
    }
    return {point.id: [figures[point.trial, seed][point.epoch] for seed in range(SEEDS)] for point in front}


@pytest.fixture
def run(searched: Run, tmp_path: Path) -> Run:
    """A copy of the study."""
    shutil.copytree(searched.folder, tmp_path / "one")
    return Run(tmp_path / "one")


def confirmed(run: Run, seeds: int = SEEDS, notes: Notes | None = None) -> confirm.Summary:
    return confirm.run(run, run.front().points, seeds, spec.Launch(), notes or Notes(), load)


def kept(run: Run) -> dict[str, list[Repeat]]:
    return {point: list(found.repeats) for point, found in run.confirmed.items()}


def histories(run: Run) -> dict[Path, list[Point]]:
    return {path: list(History(path)) for path in run.folder.glob("confirmation/*/*/history.jsonl")}


def contents(folder: Path) -> dict[str, bytes]:
    """Of the study, without what belongs to drivers and confirmations."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {
        name: content for name, content in named.items() if not name.startswith(("driver.", "confirmation"))
    }


def trained_here(one: Retraining, epochs: int = EPOCHS) -> None:
    """What a worker leaves of a retraining after so many epochs."""
    trial = Trial(one.plan, digits(), one.folder, kept=one.epochs)
    with one_thread():
        for _ in range(epochs):
            trial.advance()
    trial.keep()


def scored(network: Path) -> float:
    return evaluate.accuracy_of(network, digits().test)


def found_by_a_driver(run: Run) -> tuple[list[Retraining], list[Retraining]]:
    """All that confirms the front, and what of it a driver still has to train."""
    every = retraining.wanted(run, run.front().points, SEEDS)
    retrainings = Retrainings(run, every, Progress(every, run.front(), Notes()), scored)
    left = [every[ask.number] for ask in iter(retrainings.ask, None)]
    return every, left


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_every_point_gets_the_figures_of_trainings_by_hand(
    run: Run, expected: dict[str, list[Repeat]]
) -> None:
    before, trials = contents(run.folder), {point.trial for point in run.front().points}
    first, more, nothing = Notes(), Notes(), Notes()
    assert confirmed(run, seeds=1, notes=first) == confirm.Summary((), interrupted=False)
    assert kept(run) == {point: repeats[:1] for point, repeats in expected.items()}
    confirmed(run, seeds=2, notes=more)
    assert kept(run) == expected
    confirmed(run, seeds=2, notes=nothing)
    assert [len(notes.started) for notes in (first, more, nothing)] == [len(trials), len(trials), 0]
    assert contents(run.folder) == before, "the study itself stays as it is"
    assert not list(run.folder.glob("confirmation/**/*.safetensors")), "nothing is left that fills the disk"


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_ctrl_c_ends_it_gently_and_the_same_again_goes_on(
    run: Run, expected: dict[str, list[Repeat]]
) -> None:
    pressed: list[Point] = []

    def interrupt(point: Point) -> None:
        if not pressed:  # a second time would end this process at once
            pressed.append(point)
            os.kill(os.getpid(), signal.SIGINT)

    notes = Notes(interrupt)
    assert confirmed(run, notes=notes).interrupted
    assert "Go on with the same command." in notes.messages[0]
    before = histories(run)
    assert not confirmed(run).interrupted
    after = histories(run)
    assert all(after[path][: len(points)] == points for path, points in before.items())
    assert kept(run) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_killed_it_goes_on_and_no_epoch_is_lost(
    run: Run, expected: dict[str, list[Repeat]], command: Callable[[Run], None]
) -> None:
    command(run)
    before, told = histories(run), kept(run)
    assert any(before.values())
    assert not confirmed(run).interrupted
    after = histories(run)
    assert all(after[path][: len(points)] == points for path, points in before.items())
    assert all(repeat in kept(run)[point] for point, repeats in told.items() for repeat in repeats)
    assert kept(run) == expected


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[[Run], None]]:
    """Confirms a study in a process of its own, which is killed with all its workers in the middle."""
    mark = f"gnap-test-{secrets.token_hex(8)}"

    def confirm_and_die(run: Run) -> None:
        words = [sys.executable, "-m", "gnap_search", "confirm", run.name, "--runs", str(tmp_path)]
        place = str(Path(gnap_search.__path__[0]).parent)
        environment = {**os.environ, "MARK": mark, "PYTHONPATH": place}
        with subprocess.Popen(
            [*words, "--seeds", str(SEEDS)],
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as driver:
            while driver.poll() is None and not any(histories(run).values()):
                time.sleep(0.02)
            kill_all(mark)
        assert driver.returncode == -signal.SIGKILL

    yield confirm_and_die
    kill_all(mark)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_a_training_that_fails_is_told_and_the_others_count(run: Run) -> None:
    diverge(run, trial := run.front().points[0].trial)
    others = [point for point in run.front().points if point.trial != trial]
    summary = confirmed(run, seeds=1)
    assert len(summary.failures) == 1
    assert summary.failures[0].startswith(f"trial {trial} with seed 0 failed: the training loss became")
    assert set(run.confirmed) == {point.id for point in others}
    with pytest.raises(UserError, match=f"All 1 trainings failed; the last one: trial {trial} with seed 0"):
        confirm.run(run, run.front().points[:1], 1, spec.Launch(), Notes(), load)


def diverge(run: Run, trial: int) -> None:
    """Let a trial have settings with which no training survives."""
    path = run.trial_folder(trial) / "plan.json"
    plan = Plan.from_json(path.read_text())
    path.write_text(dataclasses.replace(plan, settings={**plan.settings, **DIVERGING}).to_json())


def test_what_a_killed_driver_had_trained_is_scored_and_not_trained_again(
    run: Run, expected: dict[str, list[Repeat]]
) -> None:
    first, *others = retraining.wanted(run, run.front().points, SEEDS)
    trained_here(first)
    trained_here(others[-1], epochs=2)
    every, left = found_by_a_driver(run)
    assert left == every[1:]
    assert kept(run) == {point.id: expected[point.id][:1] for point in first.points}
    assert not (first.folder / "models").exists() and (others[-1].folder / "models").exists()
    assert found_by_a_driver(run)[1] == every[1:], "its figures are there, and it is not looked at any more"


def test_a_training_whose_network_is_gone_begins_again(run: Run) -> None:
    first, *_ = retraining.wanted(run, run.front().points, SEEDS)
    trained_here(first)
    first.network(first.epochs[0]).unlink()
    every, left = found_by_a_driver(run)
    assert left == every and not first.folder.exists() and kept(run) == {}


def test_networks_of_other_epochs_are_dropped_as_they_are_reported(run: Run) -> None:
    every = retraining.wanted(run, run.front().points, 1)
    trained_here(every[0])
    heard = Notes()
    every[0].network(99).touch()
    progress = Progress(every, Front(), heard)
    point = list(every[0].history().values())[-1]
    progress.report(0, [dataclasses.replace(point, epoch=99)], None)
    assert not every[0].network(99).exists() and heard.points[0].trial == 0
    assert all(every[0].network(epoch).exists() for epoch in every[0].epochs)


def test_a_study_at_work_is_refused(run: Run) -> None:
    with DriverLock(run.folder), pytest.raises(UserError, match="'one' is being driven by process"):
        confirmed(run)
    with loop.sole(run.folder), pytest.raises(UserError, match="trainings of 'one' are at work"):
        confirmed(run)
    assert not (run.folder / "confirmation").exists()


def test_other_data_are_refused(run: Run) -> None:
    (run.folder / "environment.json").write_text('{"data_digest": "0123456789abcdef"}')
    with pytest.raises(UserError, match=r"trained on other data \(digest 0123456789ab, here"):
        confirmed(run)
    assert not (run.folder / "confirmation").exists()
