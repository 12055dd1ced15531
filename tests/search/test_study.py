"""A study is created or gone on with only where nothing speaks against it, and a refusal writes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from sqlalchemy import exc

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.runs import Run
from gnap_search.search import answers, launch, storage, study
from gnap_search.search.given import Sources
from gnap_search.search.ledger import Ledger
from gnap_search.search.lock import DriverLock
from tests.search.conftest import Notes, digits, load, small_study

HERE = spec.Launch()


def create(folder: Path, digest: str = "", **place: object) -> None:
    with study.opened(small_study(), folder, spec.Launch(**place), digest or digits().digest) as ledger:
        assert isinstance(ledger, Ledger)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, asked: spec.Study, words: str, place: spec.Launch = HERE, *, extend: bool = False):
    """Running the study is refused in one sentence with these words, and nothing has been written."""
    before = content(folder.parent)
    with pytest.raises(UserError, match=words) as refusal:
        launch.run(asked, folder, place, Notes(), load, extend=extend)
    assert "\n" not in str(refusal.value)
    assert content(folder.parent) == before


def test_a_run_folder_says_what_was_asked_and_where(tmp_path: Path):
    create(tmp_path / "one", "1234", cpus_per_trial=2)
    run = Run(tmp_path / "one")
    assert run.study == small_study()
    assert run.launch.cpus_per_trial == 2
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["data_digest"] == "1234"
    assert set(environment) >= {"command", "created", "machine", "python", "versions"}
    held = storage.connect(run.folder, None)
    assert storage.study(held, "one").metric_names == ["validation_accuracy", "log10_parameters"]
    held.engine.dispose()


def test_another_study_of_the_same_name_is_refused_by_its_differences(tmp_path: Path):
    create(tmp_path / "one")
    other = small_study(epochs=9, sampler="random")
    refused(tmp_path / "one", other, "epochs 3, not 9, sampler tpe, not random.*--study")


def test_more_trials_are_refused_with_the_way_to_extend(tmp_path: Path):
    create(tmp_path / "one")
    refused(
        tmp_path / "one",
        small_study(trials=10),
        f"trials 4, not 10.*resume one --runs {tmp_path} --trials \\+6",
    )


def test_what_was_read_of_the_user_s_images_is_told(tmp_path: Path):
    create(tmp_path / "one")
    notes, noted = Notes(), dataclasses.replace(digits(), note="photos: 2 classes")
    nothing = Sources(file=tmp_path / "nothing.toml")  # and nothing is trained
    with pytest.raises(UserError, match="Cannot read"):
        launch.run(small_study(), tmp_path / "one", HERE, notes, lambda *_: noted, nothing)
    assert notes.messages == ["photos: 2 classes"]


def test_fewer_trials_are_refused(tmp_path: Path):
    create(tmp_path / "one")
    refused(tmp_path / "one", small_study(trials=2), "trials 4, not 2")
    refused(tmp_path / "one", small_study(trials=2), "has 4 trials already", extend=True)


def test_extending_changes_the_trials_alone(tmp_path: Path):
    create(tmp_path / "one")
    study.refuse_conflicts(small_study(trials=9), tmp_path / "one", HERE, digits().digest, extend=True)
    refused(tmp_path / "one", small_study(trials=9, epochs=5), "epochs 3, not 5", extend=True)


def test_a_study_with_a_driver_is_refused(tmp_path: Path):
    create(tmp_path / "one")
    with DriverLock(tmp_path / "one"):
        refused(tmp_path / "one", small_study(), "being driven by process")


def test_other_data_are_refused(tmp_path: Path):
    create(tmp_path / "one", digest="other")
    refused(tmp_path / "one", small_study(), "began with other data")


def test_other_data_are_told_and_not_what_follows_from_them(tmp_path: Path):
    create(tmp_path / "one", digest="other")
    refused(tmp_path / "one", small_study(epochs=9), "began with other data")  # more images, fewer epochs
    refused(tmp_path / "one", small_study(training_images=500), "training_images nothing, not 500")


def test_a_lost_storage_is_told(tmp_path: Path):
    create(tmp_path / "one")
    (tmp_path / "one" / "study.db").unlink()
    refused(tmp_path / "one", small_study(), "lost its study.db")


@pytest.mark.parametrize("name", ["what?now", "feature%2Fx", "a%20b", "50 %", "é"])
def test_a_run_folder_keeps_its_trials_whatever_lies_in_its_path(tmp_path: Path, name: str):
    create(tmp_path / name / "one")
    assert (tmp_path / name / "one" / "study.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    create(tmp_path / name / "one")


def test_another_storage_than_the_first_is_refused(tmp_path: Path):
    create(tmp_path / "one")
    place = spec.Launch(storage=f"sqlite:///{tmp_path}/other.db")
    refused(tmp_path / "one", small_study(), "keeps its trials in its own study.db", place)


def test_a_storage_that_was_emptied_is_told(tmp_path: Path):
    create(tmp_path / "one")
    (tmp_path / "one" / "trials" / "0").mkdir(parents=True)
    refused(tmp_path / "one", small_study(), "has lost the trials of 'one'")


def test_a_folder_that_was_renamed_goes_on_with_its_own_trials(tmp_path: Path):
    with study.opened(small_study(), tmp_path / "one", HERE, digits().digest) as ledger:
        ledger.ask()
    (tmp_path / "one" / "trials" / "0").mkdir(parents=True)
    (tmp_path / "one").rename(tmp_path / "another")
    assert answers.asked(Run(tmp_path / "another")) == (1, set())
    with study.opened(small_study(), tmp_path / "another", HERE, digits().digest) as ledger:
        assert ledger.originals == 1
    held = storage.connect(tmp_path / "another", None)
    assert storage.study_names(held) == ["one"], "none is made beside it"
    held.engine.dispose()


def test_a_renamed_folder_whose_trials_lie_elsewhere_is_told_their_name(tmp_path: Path):
    place = spec.Launch(storage=f"sqlite:///{tmp_path}/shared.db")
    with study.opened(small_study(), tmp_path / "one", place, digits().digest) as ledger:
        ledger.ask()
    (tmp_path / "one" / "trials" / "0").mkdir(parents=True)
    (tmp_path / "one").rename(tmp_path / "another")
    words = "'another' was named 'one' when it began, .* give the folder that name again"
    refused(tmp_path / "another", small_study(), words, place)
    assert answers.status_or_problem(Run(tmp_path / "another")).state == "unreadable"
    (tmp_path / "another").rename(tmp_path / "one")
    assert answers.asked(Run(tmp_path / "one")) == (1, set())


def test_words_of_an_old_launch_count_from_where_one_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    old, new = spec.Launch(storage="sqlite:///x.db"), spec.launch({"storage": "sqlite:///x.db"})
    create(tmp_path / "one", storage=old.storage)
    study.refuse_conflicts(small_study(), tmp_path / "one", new, digits().digest, extend=False)
    assert answers.asked(Run(tmp_path / "one")) == (0, set())
    monkeypatch.chdir("elsewhere")
    lost = f"has lost its {tmp_path}/elsewhere/x.db; restore it"
    assert lost in answers.status_or_problem(Run(tmp_path / "one")).problem
    with pytest.raises(UserError, match=lost):
        create(tmp_path / "one", storage=old.storage)
    assert not list(Path.cwd().iterdir()), "nobody who looks makes a database"
    create(tmp_path / "one", storage=new.storage)
    assert answers.asked(Run(tmp_path / "one")) == (0, set())


def test_a_damaged_storage_is_told(tmp_path: Path):
    create(tmp_path / "one")
    (tmp_path / "one" / "study.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match="cannot be opened"):
        create(tmp_path / "one")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "should look like postgresql"),
        ("nosuch://host/name", "should look like postgresql"),
        ("postgresql+nosuch://host/name", "should look like postgresql"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9/name", "postgresql\\+psycopg://me@127.0.0.1:9/name"),
        ("sqlite:////nowhere/study.db", "unable to open"),
    ],
)
def test_a_storage_that_does_not_answer_is_refused(tmp_path: Path, address: str, words: str):
    refused(tmp_path / "one", small_study(), words, spec.Launch(storage=address))


def test_a_name_that_the_storage_has_already_is_refused(tmp_path: Path):
    address = f"sqlite:///{tmp_path}/shared.db"
    with study.opened(small_study(), tmp_path / "one", spec.Launch(storage=address), "1234") as ledger:
        ledger.ask()
    refused(
        tmp_path / "elsewhere" / "one",
        small_study(),
        "another study named 'one'",
        spec.Launch(storage=address),
    )


def test_a_name_that_another_folder_is_about_to_use_is_refused(tmp_path: Path):
    place = spec.Launch(storage=f"sqlite:///{tmp_path}/shared.db")
    with (
        study.opened(small_study(), tmp_path / "one", place, "1234"),
        pytest.raises(UserError, match="another study named 'one'"),
        study.opened(small_study(), tmp_path / "elsewhere" / "one", place, "1234"),
    ):
        pass
    (tmp_path / "one" / "environment.json").unlink()
    create(tmp_path / "one", "1234", storage=place.storage)


@pytest.mark.parametrize(
    ("kind", "said", "tries"),
    [
        (exc.IntegrityError, "UNIQUE constraint failed: alembic_version.version_num", 3),
        (exc.OperationalError, "table studies already exists", 3),
        (exc.IntegrityError, "it stays so", storage.TRIES),
        (exc.OperationalError, "unable to open database file", 1),
    ],
)
def test_a_database_that_another_process_makes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[exc.DBAPIError], said: str, tries: int
):
    tried: list[str] = []

    def opened(address: str, **arguments: object) -> RDBStorage:
        tried.append(address)
        if len(tried) < 3 or said == "it stays so":
            raise kind("CREATE TABLE", {}, Exception(said))
        return RDBStorage(address, **arguments)

    monkeypatch.setattr(storage, "RDBStorage", opened)
    monkeypatch.setattr(storage, "PAUSE", 0)
    expected = pytest.raises(UserError, match=said) if tries != 3 else contextlib.nullcontext()
    with expected:
        storage.connect(tmp_path, None).engine.dispose()
    assert len(tried) == tries


def test_settings_that_no_trial_accepts_are_refused(tmp_path: Path):
    refused(
        tmp_path / "one",
        small_study(parameters={"prunning_strength": 1e-3}),
        "did you mean 'pruning_strength'",
    )
    refused(
        tmp_path / "one",
        small_study(parameters={"learning_rate": {"low": 1.0, "high": 1e9}}),
        "learning_rate",
    )


def test_more_processors_or_gpus_than_there_are_are_refused(tmp_path: Path):
    refused(tmp_path / "one", small_study(), "--cpus-per-trial 4096", spec.Launch(cpus_per_trial=4096))
    refused(tmp_path / "one", small_study(), "--gpus-per-trial 64", spec.Launch(gpus_per_trial=64))
    refused(tmp_path / "one", small_study(), "whole number", spec.Launch(cpus_per_trial=1.5))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no.such.host.invalid:6379"])
def test_a_cluster_that_does_not_answer_is_refused(tmp_path: Path, address: str):
    refused(
        tmp_path / "one", small_study(), "No Ray cluster answers at --address", spec.Launch(address=address)
    )


def test_a_storage_that_is_damaged_within_is_told(tmp_path: Path):
    create(tmp_path / "one")
    with (tmp_path / "one" / "study.db").open("r+b") as file:
        file.seek(5 * 4096)  # behind the pages that are read when it is opened
        file.write(b"\xff" * 3 * 4096)
    status = answers.status_or_problem(Run(tmp_path / "one"))
    assert status.state == "unreadable" and "cannot be read: database disk image" in status.problem


def test_a_study_that_breaks_off_lets_go_of_its_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    left: list[RDBStorage] = []
    leave = RDBStorage.remove_session
    monkeypatch.setattr(RDBStorage, "remove_session", lambda held: (left.append(held), leave(held)))
    folder = tmp_path / "one"
    with pytest.raises(ArithmeticError), study.opened(small_study(), folder, HERE, "1234"):
        raise ArithmeticError
    assert len(left) == 1


def test_environment_that_is_damaged_keeps_no_study_from_going_on(tmp_path: Path):
    create(tmp_path / "one")
    (tmp_path / "one" / "environment.json").write_text("[1]")
    create(tmp_path / "one")


def test_unknown_data_are_refused(tmp_path: Path):
    refused(tmp_path / "one", small_study(dataset="digitz"), "did you mean 'digits'")


def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "one", small_study(), "is not a folder")


def test_a_full_disk_is_told_with_the_way_on(tmp_path: Path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "study.toml.draft").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"No space left.*resume one"):
        create(folder)
    assert not (folder / "study.toml").exists()


def test_an_attempt_that_was_killed_while_it_began_can_be_repeated(tmp_path: Path):
    create(tmp_path / "one")
    (tmp_path / "one" / "study.toml").unlink()
    create(tmp_path / "one")
