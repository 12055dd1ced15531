"""compare: several studies' fronts, out of their folders alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import gnap_search
from gnap_search import spec
from gnap_search.results import History, Point

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
