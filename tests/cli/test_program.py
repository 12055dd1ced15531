"""The program as a user starts it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import gnap_search

Program = Callable[..., "subprocess.CompletedProcess[str]"]
HEAVY = ("torch", "numpy", "pydantic", "ray", "optuna", "matplotlib")


def test_it_has_a_version(program: Program) -> None:
    assert program("--version").stdout == f"gnap-search {gnap_search.__version__}\n"


def test_help_and_list_answer_at_once(program: Program) -> None:
    """About 0.2 s of processor time; the bound leaves room for a busy machine."""
    for words in (["--help"], ["list"]):
        fastest = min(_seconds(program, words) for _ in range(3))
        assert fastest < 2


def _seconds(program: Program, words: list[str]) -> float:
    start = time.perf_counter()
    assert program(*words).returncode == 0
    return time.perf_counter() - start


def test_the_command_line_imports_nothing_heavy(python: Program) -> None:
    loaded = python("-c", "import sys, gnap_search.cli; print(sorted(sys.modules))").stdout
    assert "'gnap_search.cli'" in loaded
    assert not [heavy for heavy in HEAVY if f"'{heavy}'" in loaded]


def test_importing_the_package_imports_nothing(python: Program) -> None:
    loaded = python("-c", "import sys, gnap_search; print([*sys.modules])").stdout
    assert "'gnap_search'" in loaded and "'gnap_search." not in loaded


def test_a_refusal_is_one_sentence_without_a_traceback(program: Program, elsewhere: Path) -> None:
    refused = program("pareto", "--dataset", "mnits")
    assert refused.returncode == 2 and refused.stdout == ""
    assert refused.stderr.startswith("gnap-search: Unknown data set 'mnits'; did you mean 'mnist'?")
    assert not list(elsewhere.iterdir())
