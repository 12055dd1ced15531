"""A study that begins with what another one has found, and with its user's configurations, all of it real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import gnap_search
from gnap_search.runs import Run as RunFolder
from tests.search.conftest import check_laws

Run = Callable[..., Result]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("ray_session")
def test_a_study_begins_with_another_and_with_given_configurations(run: Run) -> None:
    run("pareto", "--study", "first", "--trials", "2", "--epochs", "1")
    run("front", "first", "--configurations", "again.toml")
    many = len(gnap_search.front("first").points)

    warm = ("pareto", "--study", "warm", "--trials", "2", "--epochs", "1")
    given = ("--from-study", "first", "--enqueue", "again.toml")
    told = " ".join(run(*warm, *given).stdout.split())
    assert "The sampler is told 2 of the 2 trials of first." in told
    assert f"Of the configurations of again.toml, {many} come first." in told

    study = RunFolder(Path("runs/warm"))
    assert study.trials() == [2, 3], "those that are known have no folder"
    assert study.plan(2)["settings"] == RunFolder(Path("runs/first")).plan(0 if many == 2 else 1)["settings"]
    check_laws(study)

    again = " ".join(run(*warm, "--from-study", "runs/first", "--enqueue", "again.toml").stdout.split())
    assert "2 of them from before" in again and f"0 come first; {many} were given before." in again
    assert study.trials() == [2, 3]
    shown = run("show", "warm").stdout
    assert "2 of 2 complete" in shown and "2 trials of other studies known to the sampler" in shown
    refused = run("resume", "warm", "--enqueue", "more.toml", exit_code=2)
    assert "Cannot read more.toml" in refused.stderr
