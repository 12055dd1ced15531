"""Rules that end a study: what the command line takes, and what it says then; it is no failure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import Result

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.flags import seconds

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", 30),
        ("90m", 5400),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h0m5s", 3605),
        ("45", 45),
        (2.5, 2.5),
        (0, 0),
    ],
)
def test_a_time_may_be_written_in_hours_minutes_and_seconds(written: float | str, meant: float) -> None:
    assert seconds(written) == meant
    assert spec.launch({"timeout": written}).timeout == meant


@pytest.mark.parametrize("written", ["", "2x", "h", "30m1h", "-5", "nan", "1e3", "2 h"])
def test_other_times_are_refused(written: str) -> None:
    with pytest.raises(UserError, match="should be a number of seconds, or a time like 90s"):
        seconds(written)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("ray_session")
def test_what_ended_a_study_and_how_to_go_on_is_said(run: Run) -> None:
    few = ("pareto", "--study", "small", "--trials", "5", "--epochs", "1", "--max-params", "1")
    late = run(*few, "--timeout", "0.001").stdout
    assert "ended: the time of 0 s is over; go on with: gnap-search resume small" in late
    assert "stopped" in run("show", "small").stdout

    ended = " ".join(run(*few, "--patience-trials", "1").stdout.split())
    assert (
        "ended: no progress over 1 trial; go on with: gnap-search resume small --patience-trials 0" in ended
    )
    shown = run("show", "small").stdout
    assert "small, ended: no progress over 1 trial" in shown and "--patience-trials 0" in shown
    assert "ended" in run("studies").stdout
