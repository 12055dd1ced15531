"""What is said before several processes share a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnap_search.training import sharing


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of programs, on a machine where no service runs."""
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "pipes"))
    (tmp_path / "programs").mkdir()
    (tmp_path / "pipes").mkdir()
    return tmp_path / "programs"


def test_nothing_where_there_is_no_service(programs: Path) -> None:
    assert not list(programs.iterdir())
    assert sharing.advice() is None


def test_the_command_where_the_service_does_not_run(programs: Path) -> None:
    _install(programs)
    advice = sharing.advice()
    assert advice is not None
    assert f"{sharing.CONTROL} -d" in advice


def test_nothing_where_it_runs(programs: Path) -> None:
    _install(programs)
    (programs.parent / "pipes" / "control").touch()
    assert sharing.served()
    assert sharing.advice() is None


def _install(programs: Path) -> None:
    (programs / sharing.CONTROL).touch(0o755)
