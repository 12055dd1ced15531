"""A study with little time, for whose epochs nobody has asked, has fewer; one that is there keeps its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnap_search import spec
from gnap_search.contracts import Data
from gnap_search.errors import TrialError
from gnap_search.search import foresight, pilot
from gnap_search.search import launch as launching
from tests.search.conftest import Notes, load, small_study


@pytest.fixture
def study(small_digits: Data) -> spec.Study:
    """One that nobody has given a number of epochs."""
    written = {"dataset": "digits", "method": "gnap,dense", "seed": 3}
    return spec.resolve(written).fitted(len(small_digits.train))


def takes(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pilot, "_epoch_seconds", lambda *_: seconds)


@pytest.mark.parametrize(("seconds", "epochs"), [(0.1, 90), (10, 40), (1000, pilot.LEAST)])
def test_there_are_as_many_epochs_as_there_is_time_for(
    study: spec.Study, small_digits: Data, monkeypatch: pytest.MonkeyPatch, seconds: float, epochs: int
) -> None:
    takes(seconds, monkeypatch)
    notes = Notes()
    launch = spec.Launch(timeout=pilot.GROWN * foresight.MARGIN * 400)
    fewer = pilot.in_time(study, launch, small_digits, notes)
    assert fewer == study.model_copy(update={"epochs": epochs})
    told = [f"has {epochs} epochs, not the usual 90" in text for text in notes.messages]
    assert told == ([] if epochs == 90 else [True])


def test_a_share_of_a_processor_takes_so_much_longer(
    study: spec.Study, small_digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes(10, monkeypatch)
    launch = spec.Launch(timeout=pilot.GROWN * foresight.MARGIN * 400, cpus_per_trial=0.25)
    assert pilot.in_time(study, launch, small_digits, Notes()).epochs == 10


def test_what_an_epoch_takes_is_measured(study: spec.Study, small_digits: Data) -> None:
    assert pilot.in_time(study, spec.Launch(timeout=1e5), small_digits, Notes()) == study
    assert pilot.in_time(study, spec.Launch(timeout=1e-3), small_digits, Notes()).epochs == pilot.LEAST


def test_what_cannot_be_trained_is_left_as_it_is(
    study: spec.Study, small_digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> float:
        raise TrialError("the training loss became nan")

    monkeypatch.setattr(pilot, "_epoch_seconds", broken)
    assert pilot.in_time(study, spec.Launch(timeout=1.0), small_digits, Notes()) == study


def test_a_study_that_is_there_keeps_its_epochs(study: spec.Study, tmp_path: Path) -> None:
    assert pilot.as_before(study, tmp_path) == study
    for epochs, meant in ((7, 7), (200, 90)):
        kept = study.model_copy(update={"epochs": epochs})
        (tmp_path / "study.toml").write_text(kept.to_toml())
        assert pilot.as_before(study, tmp_path).epochs == meant


@pytest.mark.parametrize(
    ("launch", "suits"),
    [({}, False), ({"timeout": 9}, True), ({"timeout": 9, "gpus_per_trial": 1}, False)],
)
def test_nothing_is_measured_without_a_limit_or_for_gpus(launch: dict[str, float], suits: bool) -> None:
    assert pilot.suits(spec.Launch.model_validate(launch)) == suits


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
@pytest.mark.timeout(120)
def test_the_same_again_goes_on_with_fewer_epochs(tmp_path: Path) -> None:
    whole = small_study(trials=1).model_dump(exclude={"epochs"}, exclude_unset=True)
    open_ended, launch = spec.Study.model_validate(whole), spec.Launch(timeout=1e-3)
    folder, notes = tmp_path / "one", Notes()
    assert launching.run(open_ended, folder, launch, notes, load).ending == "timeout"
    assert spec.Study.read(folder / "study.toml").epochs == pilot.LEAST
    assert any("not the usual" in text for text in notes.messages)
    again = Notes()
    assert launching.run(open_ended, folder, spec.Launch(timeout=3600), again, load).ending == "finished"
    assert not any("not the usual" in text for text in again.messages)
