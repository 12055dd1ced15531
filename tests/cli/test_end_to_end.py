"""From nothing to an exported model, with real training, Ray and Optuna, all of them small."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import gnap_search
from gnap_search import single
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.results import Point
from gnap_search.runs import Run as RunFolder
from gnap_search.training import loop
from gnap_search.training.plan import Plan
from tests.published.conftest import check_files, check_record

Run = Callable[..., Result]
FEW = ("--trials", "2", "--epochs", "3", "--study", "small")


class Ear(Quiet):
    """A listener that keeps what it hears of epochs and ends."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def epoch_ended(self, point: Point, front: Front) -> None:
        assert not front.points or front.knee()
        self.heard.append(point.id)

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        assert not again
        self.heard.append(f"end {trial} {failure}")

    def message(self, text: str) -> None:
        self.heard.append(text)


def test_a_training_tells_what_was_read_and_that_nothing_was_learnt(
    elsewhere: Path, few_digits: Data
) -> None:
    plan = Plan(0, "./photos", "dense", "plain-cnn", "classification", 1, 0, None, {"learning_rate": 0.0})
    noted, ear = dataclasses.replace(few_digits, note="./photos: 10 classes"), Ear()
    single.train(plan, lambda: noted, elsewhere, "cpu", ear)
    assert ear.heard[:3] == ["./photos: 10 classes", "0-1", "end 0 None"]
    (warning,) = ear.heard[3:]
    assert warning.startswith("No network does clearly better than to call every image '6'")


def test_one_process_trains_in_a_folder(elsewhere: Path, few_digits: Data) -> None:
    plan = Plan(0, "digits", "dense", "plain-cnn", "classification", 1, 0, None, {})
    words = "Another process trains in .*; wait for it, or choose another --directory"
    with loop.sole(elsewhere / "one"), pytest.raises(UserError, match=words):
        single.train(plan, lambda: few_digits, elsewhere / "one", "cpu", Quiet())
    assert [path.name for path in (elsewhere / "one").iterdir()] == ["loop.lock"]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_from_nothing_to_a_model(run: Run) -> None:
    searched = run("pareto", *FEW).stdout
    assert "2 trials" in searched and "small: hypervolume" in searched
    assert "gnap-search export small" in searched

    front = json.loads(run("front", "small", "--json", "-").stdout)
    assert front["study"] == "small" and front["dataset"] == "digits" and front["points"]
    assert all(0 <= point["test_accuracy"] <= 1 for point in front["points"])
    run("front", "small", "--csv", "front.csv", "--plot", "front.png")
    assert (
        Path("front.csv").read_text().startswith("id,trial,epoch")
        and Path("front.png").stat().st_size > 10_000
    )

    best = front["points"][-1]
    exported = run(
        "export", "small", "--point", best["id"], "--format", "safetensors,onnx", "-o", "out"
    ).stdout
    assert "model.onnx" in exported
    evaluated = run("evaluate", "out/model.onnx", "--dataset", "digits").stdout
    assert (
        f"{best['test_accuracy']:.2%}".replace("%", " %") in evaluated
        and f"{best['parameters']:,}" in evaluated
    )
    assert (
        "No point of the front has at most 1 parameters"
        in run("export", "small", "--max-params", "1", exit_code=2).stderr
    )
    assert "not by two of them" in run("export", "small", "--knee", "--max-params", "9", exit_code=2).stderr

    confirmed = run("confirm", "small", "--point", best["id"], "--seeds", "2").stdout
    assert "again" in confirmed and "searched validation accuracies lie" in confirmed
    assert "±" in run("front", "small").stdout
    told = {point["id"]: point["confirmed"] for point in front_of(run)}
    assert told[best["id"]]["seeds"] == [0, 1]
    exported = " ".join(run("export", "small", "-o", "confirmed").stdout.split())
    assert "confirmed with 2 fresh seeds: " in exported
    manifest = json.loads(Path("confirmed/model.json").read_text())
    assert manifest["confirmed"] == told[manifest["point"]] is not None

    check_refit(run, best)
    assert "confirmed" in run("show", "small").stdout

    run("front", "small", "--configurations", "again.toml", "--seeds", "2")
    assert "seeds = [0, 1]" in Path("again.toml").read_text()
    smallest = f"{front['points'][0]['parameters']}"
    published = run("publish", "small", "--max-params", smallest, "-o", "new").stdout
    assert "written to new" in published and f"{smallest}-trial" in published
    assert "1 of 1 point confirmed" in published
    check_record(Path("new"))
    check_files(Path("new"))

    assert "finished" in run("studies").stdout and "2 of 2 complete, 0 failed" in run("show", "small").stdout
    assert "small: hypervolume" in run("pareto", *FEW).stdout, "the same again is no work and no fault"
    assert "has epochs 3, not 4" in run("pareto", *FEW[:2], "--epochs", "4", *FEW[4:], exit_code=2).stderr
    run("resume", "small", "--trials", "+1")
    assert "3 of 3 complete, 0 failed" in run("show", "small").stdout
    assert "3 trials already" in run("resume", "small", "--trials", "1", exit_code=2).stderr


def check_refit(run: Run, searched: dict[str, Any]) -> None:
    told = " ".join(
        run("export", "small", "--refit", "--point", searched["id"], "-o", "refit").stdout.split()
    )
    assert "trained on 1,427 images now" in told and f"point {searched['id']} of small, trained once" in told
    assert f"{searched['parameters']:,} parameters" in told, "those of the search are told beside it"


def front_of(run: Run) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = json.loads(run("front", "small", "--json", "-").stdout)["points"]
    return points


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
def test_the_same_from_python() -> None:
    ear = Ear()
    outcome = gnap_search.pareto(
        trials=2, epochs=2, listener=ear, max_params=10_000, parameters={"growth_factor": 1.5}
    )
    assert (outcome.complete, outcome.failed, outcome.interrupted) == (2, 0, False)
    assert outcome.run.name == "digits-gnap" and isinstance(outcome.run, RunFolder)
    assert ear.heard.count("end 0 None") == 1 and {"0-1", "0-2", "1-1", "1-2"} <= set(ear.heard)
    front = gnap_search.front("digits-gnap")
    assert front.points == outcome.front.points
    assert all(point.parameters <= 10_000 for point in front.points)
    status = gnap_search.show("digits-gnap")
    assert not isinstance(status, list) and status.state == "finished"
    assert [found.run.name for found in gnap_search.studies()] == ["digits-gnap"]
    found = gnap_search.confirm("digits-gnap", seeds=1, listener=ear)
    assert not found.failures and not found.interrupted
    assert {point.id for point in front.points} == set(found.points)
    assert all(point and len(point.repeats) == 1 for point in found.points.values())
    outcome = gnap_search.resume("digits-gnap", trials=3)
    assert outcome.complete == 3


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_training(run: Run, elsewhere: Path) -> None:
    words = ("train", "--epochs", "3", "--pruning-strength", "3e-4", "-o", "one")
    trained = run(*words).stdout
    assert re.search("trial 0 starts: .*pruning_strength 0.0003", trained) and "test accuracy" in trained
    history = (elsewhere / "one" / "history.jsonl").read_text()
    assert "test accuracy" in run(*words).stdout, "what is over is told again"
    assert (elsewhere / "one" / "history.jsonl").read_text() == history
    assert "epochs 3, not 4" in run("train", "--epochs", "4", *words[3:], exit_code=2).stderr
    assert "test accuracy" in run("evaluate", "one/model.safetensors").stdout


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_training_goes_on_where_it_was_broken_off(elsewhere: Path) -> None:
    class BrokenOff(Ear):
        def epoch_ended(self, point: Point, front: Front) -> None:
            super().epoch_ended(point, front)
            if point.epoch == 2:
                raise KeyboardInterrupt

    whole, rest = Ear(), Ear()
    settings = {"pruning_strength": 3e-4}
    straight = gnap_search.train(settings, epochs=4, listener=whole, directory=elsewhere / "straight")
    with pytest.raises(KeyboardInterrupt):
        gnap_search.train(settings, epochs=4, listener=BrokenOff(), directory=elsewhere / "broken")
    resumed = gnap_search.train(settings, epochs=4, listener=rest, directory=elsewhere / "broken")
    assert [word for word in rest.heard if word.startswith("0-")] == ["0-3", "0-4"]
    assert resumed.test_accuracy == straight.test_accuracy
    assert resumed.point.validation_loss == straight.point.validation_loss
