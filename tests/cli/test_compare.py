"""compare: several studies' fronts, out of their folders alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import gnap_search
from gnap_search import runs, spec
from gnap_search.errors import UserError
from gnap_search.results import History, Point

PUBLISHED = Path(__file__).parents[2] / "studies" / "published"

Run = Callable[..., Result]
MakePoint = Callable[..., Point]


@pytest.fixture
def two(elsewhere: Path, make_point: MakePoint) -> Path:
    """A folder of runs with two studies."""
    for name, accuracy in (("one", 0.9), ("two", 0.8)):
        trial = elsewhere / "runs" / name / "trials" / "0"
        trial.mkdir(parents=True)
        History(trial / "history.jsonl").append(make_point(0, 1, 500, accuracy))
        (trial.parents[1] / "study.toml").write_text(spec.load("digits").to_toml())
    return elsewhere / "runs"


def test_studies_are_compared(run: Run, two: Path) -> None:
    shown = run("compare", "one", "two", "--csv", "fronts.csv", "--plot", "fronts.png").stdout
    assert "digits: 2 studies" in shown and "held by" in shown
    assert Path("fronts.csv").read_text().startswith("study,id,trial")
    assert Path("fronts.png").stat().st_size > 10_000
    written = json.loads(run("compare", "two", "one", "--json", "-").stdout)
    assert [study["study"] for study in written["studies"]] == ["two", "one"]
    assert written == gnap_search.compare("two", "one", runs=two).record()


@pytest.mark.usefixtures("two")
def test_what_cannot_be_compared_is_refused(run: Run) -> None:
    assert "at least two studies" in run("compare", "one", exit_code=2).stderr
    assert "'one' is named twice" in run("compare", "one", "one", exit_code=2).stderr
    assert "There is no study 'three'" in run("compare", "one", "three", exit_code=2).stderr


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("words", [("front", "one"), ("compare", "one", "two")])
def test_a_plot_that_cannot_be_drawn_is_refused_before_anything_is_written(
    run: Run, elsewhere: Path, words: tuple[str, ...]
) -> None:
    result = run(*words, "--json", "out.json", "--csv", "-", "--plot", "plot.jpg", exit_code=2)
    assert "A plot ends in .png" in result.stderr and not result.stdout
    assert [path.name for path in elsewhere.iterdir()] == ["runs"]


def test_a_published_front_stands_beside_a_study(run: Run, two: Path) -> None:
    shown = run("compare", "one", str(PUBLISHED / "digits"), "--plot", "fronts.png").stdout
    assert "digits: 2 studies" in shown
    written = json.loads(run("compare", "one", str(PUBLISHED / "digits"), "--json", "-").stdout)
    ours, theirs = written["studies"]
    record = json.loads((PUBLISHED / "digits" / "front.json").read_text())
    assert theirs["hypervolume"] == pytest.approx(record["hypervolume"])
    assert [point["id"] for point in theirs["points"]] == [point["id"] for point in record["points"]]
    assert (ours["epochs"], theirs["epochs"], theirs["training_seconds"]) == (1, None, None)
    assert gnap_search.compare("one", str(PUBLISHED / "digits"), runs=two).record() == written


def test_paths_may_be_whole(run: Run, two: Path, tmp_path: Path) -> None:
    shutil.copytree(PUBLISHED / "digits", tmp_path / "theirs")
    (tmp_path / "theirs" / "study.toml").touch()  # as a published search has one
    for folder in (tmp_path / "theirs", str(tmp_path / "theirs")):
        assert len(gnap_search.compare("one", folder, runs=two).contenders) == 2
    assert runs.find_anywhere(two, str(two / "one")).folder == runs.find_anywhere(two, "one").folder
    (two / "own").mkdir()
    assert "There is no study 'own'" in run("compare", "one", "own", exit_code=2).stderr


@pytest.mark.parametrize(
    "ask",
    [
        lambda: gnap_search.export("one", max_parameters=9),
        lambda: gnap_search.publish("one", formats=["onnx"]),
        lambda: gnap_search.resume("one", trails="+5"),
        lambda: gnap_search.confirm("one", seed=5),
        lambda: gnap_search.evaluate("x.onnx", splits="test"),
        lambda: gnap_search.predict("x.onnx", tops=3),
        lambda: gnap_search.train(epoch=3),
        lambda: gnap_search.report("one", path="x.html"),
    ],
)
@pytest.mark.usefixtures("two")
def test_a_function_refuses_a_key_that_it_does_not_know(ask: Callable[[], object]) -> None:
    with pytest.raises(UserError, match="unknown key"):
        ask()


def test_published_fronts_are_compared_by_their_means(run: Run) -> None:
    folders = str(PUBLISHED / "mnist"), str(PUBLISHED / "mnist-40-epochs")
    shorter, longer = json.loads(run("compare", *folders, "--means", "--json", "-").stdout)["studies"]
    told = json.loads((PUBLISHED / "mnist-40-epochs" / "front.json").read_text())["configurations"][0]
    assert len(shorter["means"]) == 3
    (mean,) = longer["means"]
    assert (mean["parameters"], mean["seeds"]) == (round(told["parameters"]["mean"]), len(told["seeds"]))
    assert mean["test_accuracy"] == told["test_accuracy"]["mean"]
    assert mean["test_deviation"] == told["test_accuracy"]["standard_deviation"]
    assert (mean["weights"], mean["macs"]) == (None, None), "such a record does not say"


def test_a_published_front_is_no_study(run: Run) -> None:
    said = run("front", str(PUBLISHED / "digits"), exit_code=2).stderr
    assert "is a published front, and a study is needed" in said and "compare" in said
    said = run("pareto", "--from-study", str(PUBLISHED / "digits"), exit_code=2).stderr
    assert "is a published front, which holds no trials" in said and "trials.toml" in said


def test_published_fronts_that_cannot_be_compared_are_refused(run: Run, two: Path, tmp_path: Path) -> None:
    assert "at least two studies" in run("compare", str(PUBLISHED / "digits"), exit_code=2).stderr
    said = run("compare", "one", str(PUBLISHED / "mnist"), exit_code=2).stderr
    assert "is on digits" in said and "on mnist; only studies on the same data" in said
    (two / "two" / "environment.json").write_text(json.dumps({"data_digest": 64 * "0"}))
    said = run("compare", "two", str(PUBLISHED / "digits"), exit_code=2).stderr
    assert "were trained on different images" in said
    told = json.loads((PUBLISHED / "digits" / "front.json").read_text())
    for odd in ({}, [], {**told, "points": ["a"]}, {**told, "method": 1}):
        (tmp_path / "front.json").write_text(json.dumps(odd))
        assert "is not a published front" in run("compare", "one", str(tmp_path), exit_code=2).stderr
