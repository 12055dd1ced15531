"""Studies that end by a rule of their launch, with real Ray, Optuna and training, and go on when told to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gnap_search import spec
from gnap_search.runs import Run
from gnap_search.search import answers, interruption, launch
from gnap_search.status import Outcome
from tests.search.conftest import Notes, asked, check_laws, load, small_study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_session"), pytest.mark.timeout(240)]


def run(study: spec.Study, folder: Path, notes: Notes | None = None, **rules: float) -> Outcome:
    return launch.run(study, folder, spec.Launch.model_validate(rules), notes or Notes(), load)


def states(run: Run) -> set[str]:
    return {trial.state.name for trial in asked(run)}


def test_patience_ends_a_study_and_finishes_what_it_has_paid_for(tmp_path: Path) -> None:
    study = small_study(trials=5, epochs=1, constraints={"max_params": 1})  # which no point meets
    folder = tmp_path / "one"
    summary = run(study, folder, patience_trials=1)
    assert summary.ending == "patience" and not summary.interrupted
    assert summary.complete in (2, 3), "the second ends it, and another worker finishes what it has"
    assert states(Run(folder)) == {"COMPLETE"}
    assert answers.status(Run(folder)).state == "ended"

    again = Notes()
    assert run(study, folder, again, patience_trials=1).ending == "patience"
    assert not again.started, "trials of the study's whole life count"

    assert run(study, folder).ending == "finished"
    assert answers.status(Run(folder)).state == "finished"
    check_laws(Run(folder))


def test_the_time_that_is_given_ends_a_study_gently(tmp_path: Path) -> None:
    study, folder, notes = small_study(trials=2, epochs=2), tmp_path / "one", Notes()
    assert run(study, folder, notes, timeout=0.01).ending == "timeout"
    assert "resume one" in notes.messages[-1] and "--timeout" in notes.messages[-1]
    assert answers.status(Run(folder)).state == "stopped" and not Run(folder).test_accuracies

    assert run(study, folder, timeout=3600).ending == "finished"
    check_laws(Run(folder))


def test_what_is_timed_is_called_once_and_only_within_its_block() -> None:
    calls: list[str] = []
    called = threading.Event()

    def gently() -> None:
        calls.append("called")
        called.set()

    with interruption.timed(0.01, gently) as over:
        assert called.wait(10) and over.is_set()
    with interruption.timed(3600, gently) as over:
        pass
    with interruption.timed(None, gently) as never:
        pass
    assert calls == ["called"] and not over.is_set() and not never.is_set()
