"""The command line in this process, and as a program of its own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from typer.testing import CliRunner, Result

import gnap_search
from gnap_search.cli import app

Run = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GNAP_SEARCH_RUNS", raising=False)
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Words of a command line -> what came of them in this process; a bug's exception is raised."""

    def runs(*words: str | Path, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return runs


@pytest.fixture
def python() -> Program:
    """Words after `python` -> what came of them in a process of its own."""

    def runs(*words: str | Path, stdout: IO[str] | int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        place = str(Path(gnap_search.__path__[0]).parent)  # the working directory is another one
        environment = {**os.environ, "PYTHONPATH": place, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
        command = [sys.executable, *map(str, words)]
        return subprocess.run(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            env=environment,
            check=False,
        )

    return runs


@pytest.fixture
def program(python: Program) -> Program:
    """Words of a command line -> what came of them in a process of its own."""
    return functools.partial(python, "-m", "gnap_search")
