"""What the commands of a search say of trainings that were given one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from gnap_search.training import configurations, loop, summary

Run = Callable[..., Result]
WAY_ON = "python -m gnap_search.training FILE.toml --out runs/given"


@pytest.fixture(autouse=True)
def given(elsewhere: Path) -> Path:
    """The folder of two given trainings, of which none has finished."""
    file, folder = elsewhere / "given.toml", elsewhere / "runs" / "given"
    file.write_text('dataset = "digits"\nepochs = 3\nseeds = [0, 1]\n[[trial]]\n')
    folder.mkdir(parents=True)
    summary.describe(configurations.read(file), folder)
    summary.write([], {}, folder)
    return folder


def finish(folder: Path, *trials: int, failures: dict[int, str] | None = None) -> None:
    finished = [{"trial": trial, "point": f"{trial}-3", "test_accuracy": 0.9} for trial in trials]
    summary.write(finished, failures or {}, folder)


def told(run: Run) -> list[str]:
    """State, trials and failures in the line of `studies`."""
    return run("studies").stdout.splitlines()[1].split()[1:4]


def test_their_state_is_that_of_their_results(run: Run, given: Path) -> None:
    assert told(run) == ["stopped", "0/2", "0"]
    with loop.sole(given):
        assert told(run) == ["running", "0/2", "0"]
    finish(given, 0, failures={1: "the loss became nan"})
    assert told(run) == ["stopped", "1/2", "1"]
    page = " ".join(run("show", "given").stdout.split())
    assert "1 of 2 complete, 1 failed trial 1: the loss became nan" in page
    assert WAY_ON in page and "sampled" not in page and "resume" not in page
    finish(given, 0, 1)
    assert told(run) == ["finished", "2/2", "0"]
    assert "go on with" not in run("show", "given").stdout


@pytest.mark.parametrize(
    "words", [["resume", "given"], ["pareto", "--study", "given", "--trials", "2", "--epochs", "3"]]
)
def test_a_search_does_not_go_on_with_them(run: Run, words: list[str]) -> None:
    result = run(*words, exit_code=2)
    assert "given trainings and no search to go on with" in result.stderr
    assert f"goes on with them: `{WAY_ON}`." in result.stderr and result.stderr.count("\n") == 1
