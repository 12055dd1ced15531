"""Compiler: the system's own for C, and what it makes of a file."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gnap_search.errors import UserError, first_line

STRICT = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror")
FAST = ("-O3", "-march=native", "-ffp-contract=fast")
NAMES = ("cc", "gcc", "clang")


def find() -> str:
    """The compiler that `CC` names, or else the first one there is.

    Raises:
        UserError: there is none.
    """
    for name in (os.environ.get("CC", ""), *NAMES):
        if found := shutil.which(name):
            return found
    raise UserError(
        "To run model.c, gnap-search needs a C compiler, and found neither cc nor gcc nor clang: install one "
        "(apt install gcc), or name it in CC."
    )


@functools.lru_cache(maxsize=16)
def loaded(texts: tuple[tuple[str, str], ...]) -> ctypes.CDLL:
    """The files of these names and texts, the C file first, compiled for this processor and loaded.

    Nothing stays on the disk.

    Raises:
        UserError: there is no compiler, it refuses the file, or what it makes of it cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="gnap-search-") as folder:
        for name, text in texts:
            Path(folder, name).write_text(text)
        target = Path(folder) / "model.so"
        run(Path(folder, texts[0][0]), target, (*STRICT, *FAST, "-fPIC", "-shared"))
        try:
            return ctypes.CDLL(str(target))
        except OSError as problem:
            raise UserError(
                f"What {find()} made of {texts[0][0]} cannot be loaded ({first_line(problem)}); "
                "name another compiler in CC."
            ) from None


def run(source: Path, target: Path, flags: Sequence[str]) -> None:
    """Compile one file.

    Raises:
        UserError: there is no compiler, or it refuses the file; its first complaint is told.
    """
    command = [find(), *flags, "-o", str(target), str(source)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (the user's own compiler)
    if ended.returncode:
        complaints = [line for line in ended.stderr.splitlines() if "error" in line] or ["it said nothing"]
        raise UserError(f"{command[0]} cannot compile {source.name}: {complaints[0].strip()}.")
