"""The program as a user starts it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "97 ± 1 µs \u2800⣿┤ 猫 caf\udce9"),
        ("iso-8859-1", "97 \udcb1 1 \udcb5s  *+ ? caf\udce9"),
        ("ascii", "97 +- 1 us  *+ ? caf\udce9"),
    ],
)
def test_what_an_encoding_lacks_is_told_plainly(
    python: Program, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    text = r"97 \xb1 1 \xb5s \u2800\u28ff\u2524 \u732b caf\udce9"
    code = (
        f"import sys; from gnap_search import streams; streams.prepare(); print('{text}', file=sys.std{{}})"
    )
    assert python("-c", code.format("out")).stdout == f"{shown}\n"
    assert python("-c", code.format("err")).stderr == f"{shown}\n"
    written = python("-c", f"from gnap_search import streams; streams.write('{text}')").stdout
    assert written == "97 ± 1 µs \u2800⣿┤ 猫 caf\udce9", "what goes into a file is the same everywhere"


def test_a_standard_error_that_is_closed_may_be_written_to(python: Program) -> None:
    code = "import sys; sys.stderr = None; from gnap_search import streams; streams.prepare(); "
    assert python("-c", code + "print('lost', file=sys.stderr); print('kept')").stdout == "kept\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device stands for a full disk")
@pytest.mark.parametrize("word", ["list", "--help", "--version"])
def test_a_full_disk_is_told_in_one_sentence(program: Program, word: str) -> None:
    with open("/dev/full", "w") as full:
        refused = program(word, stdout=full)
    assert refused.returncode == 2
    assert refused.stderr == "gnap-search: Cannot write to standard output: No space left on device.\n"


def test_a_record_needs_an_open_standard_output(python: Program) -> None:
    code = "import os; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    call = "from gnap_search.report import record; record.write('x', record.STANDARD_OUTPUT)"
    refused = python("-c", f"import sys; {code}", "-c", call)
    assert refused.stderr.endswith("UserError: Cannot write to standard output: it is closed.\n")


def test_a_reader_that_has_enough_ends_it_without_a_word(program: Program) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        assert program("list", stdout=pipe).stderr == ""
