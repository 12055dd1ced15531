"""The dashboard follows a study that is being written, and changes nothing of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage

import gnap_search
from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search import dashboard, storage

MakePoint = Callable[..., Point]
pytest.importorskip("optuna_dashboard", reason="the extra `dashboard` is not installed")
NAME, NAMES = "watched", ["validation_accuracy", "log10_parameters"]


@pytest.fixture(params=["sqlite", "postgresql"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """A study's folder with two trials in its storage, one of which is past a limit."""
    url = None
    if request.param == "postgresql":
        url = os.environ.get("GNAP_SEARCH_TEST_POSTGRES") or pytest.skip("no PostgreSQL server is given")
    name = f"{NAME}-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    folder = tmp_path / "runs 100% #?" / name
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(spec.load("digits").to_toml())
    (folder / "launch.toml").write_text(spec.Launch(storage=url).to_toml())
    for gap in (-1.0, 0.5):
        write(Run(folder), gap)
    return Run(folder)


def write(run: Run, gap: float = -1.0) -> None:
    """One more trial, as a driver writes it."""
    held = storage.connect(run.folder, run.launch.storage)
    study = storage.study(held, run.name)
    trial = study.ask()
    trial.suggest_float("pruning_strength", 1e-5, 1e-2, log=True)
    trial.set_constraint("max_params", gap)
    study.tell(trial, [0.9, 3.0])
    leave(held)


def leave(held: RDBStorage) -> None:
    held.remove_session()
    held.engine.dispose()


def got(address: str, path: str = "") -> Any:
    """What a dashboard answers: a page, or the content of JSON."""
    root = address.partition("/dashboard")[0]
    with urllib.request.urlopen(f"{root}/{path}" if path else address, timeout=20) as answer:
        assert answer.status == 200
        text = answer.read().decode()
    return json.loads(text) if path else text


def waited_for(address: str, trials: int) -> dict[str, Any]:
    """The study of a dashboard as soon as it shows so many trials."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        study: dict[str, Any] = got(address, "api/studies/0")
        if len(study["trials"]) == trials:
            return study
        time.sleep(0.05)
    raise AssertionError("the dashboard did not follow")


def test_it_follows_a_study_that_is_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PAUSE", 0.1)
    with gnap_search.dashboard(run.name, runs=run.folder.parent, port=0) as address:
        assert "<title>Optuna Dashboard</title>" in got(address)
        study = waited_for(address, 2)
        assert study["name"] == run.name and study["objective_names"] == NAMES
        assert [trial["constraints"] for trial in study["trials"]] == [[-1.0], [0.5]]
        write(run)
        waited_for(address, 3)
    with pytest.raises(OSError, match=r"refused"):
        got(address)


def test_nothing_that_is_done_there_reaches_the_study(run: Run) -> None:
    file = run.folder / "study.db"
    before = file.read_bytes() if file.exists() else b""
    with gnap_search.dashboard(run.name, runs=run.folder.parent, port=0) as address:
        root = address.partition("/dashboard")[0]
        asked = urllib.request.Request(f"{root}/api/studies/0", method="DELETE")  # what its bin does
        assert urllib.request.urlopen(asked, timeout=20).status == 204
        assert got(address, "api/studies")["study_summaries"] == []
    held = storage.connect(run.folder, run.launch.storage)
    assert len(optuna.load_study(study_name=run.name, storage=held).trials) == 2
    leave(held)
    if file.exists():
        assert file.read_bytes() == before
        assert not list(run.folder.glob("study.db-*"))


def test_the_database_itself_refuses_to_be_written(run: Run) -> None:
    reading = dashboard._reading(run)
    with pytest.raises(optuna.exceptions.StorageInternalError) as refused:
        reading.create_new_study(storage.directed(("parameters",)), "another")
    assert "only" in str(refused.value.__cause__), "SQLite: readonly, PostgreSQL: read-only"
    leave(reading)


def test_what_cannot_be_shown_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "study.toml").write_text(spec.load("digits").to_toml())
    (folder / "launch.toml").write_text("")
    for file, sentence in (
        (None, "has no trials to look at yet"),
        (b"no database", "cannot be read: file is not"),
    ):
        if file is not None:
            (folder / "study.db").write_bytes(4000 * file)
        with (
            pytest.raises(UserError, match=sentence),
            gnap_search.dashboard(NAME, runs=tmp_path, port=0),
        ):
            pass
    (folder / "study.db").unlink()
    write(Run(folder))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UserError, match="take another --port"),
        gnap_search.dashboard(NAME, runs=tmp_path, port=taken.getsockname()[1]),
    ):
        pass
    (folder / "launch.toml").write_text('storage = "mysql://me:secret@host/db"')
    with pytest.raises(UserError, match=r"is in mysql://me@host/db; gnap-search report"):
        dashboard._reading(Run(folder))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'gnap-search\[dashboard\]'"):
        dashboard.refuse_missing()


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "study.toml").write_text(spec.load("digits").to_toml())
    (folder / "launch.toml").write_text("")
    write(Run(folder))
    command = [sys.executable, "-m", "gnap_search", "dashboard", NAME, "--runs", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout and program.stderr
        address = program.stdout.readline().split(" at ")[1].split(";")[0]
        waited_for(address, 1)
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=20) == 0
        assert program.stdout.read() == "ended; the study is as it was\n" and program.stderr.read() == ""
