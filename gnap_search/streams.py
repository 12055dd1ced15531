"""Streams: what is printed, in the encoding that a terminal or a pipe has, and on a disk that may be full."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator

from gnap_search.errors import UserError

AS_FAR_AS_POSSIBLE = "gnap-search"  # the name under which codecs knows the error handler below
BLANK, FULL = 0x2800, 0x28FF  # braille patterns, of which a drawing consists
PLAIN = {"│": "|", "┤": "+", "┴": "+", "└": "+", "─": "-", "…": "~", "±": "+-", "µ": "u"}


class Output(io.TextIOWrapper):
    """Standard output of the program, of which one hears in a sentence when it cannot be written."""

    def write(self, text: str, /) -> int:
        with self._told():
            return super().write(text)

    def flush(self) -> None:
        with self._told():
            super().flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise  # whoever reads has enough, and the command line ends without a word
        except OSError as problem:
            give_up()
            raise UserError(f"Cannot write to standard output: {problem.strerror}.") from None


def prepare() -> None:
    """Let what is printed end in no traceback, for want of a character or of room on a disk."""
    codecs.register_error(AS_FAR_AS_POSSIBLE, _as_far_as_possible)
    if sys.stderr is None:  # closed, and Ray wants one
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # for as long as the program
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=AS_FAR_AS_POSSIBLE)
    if isinstance(out := sys.stdout, io.TextIOWrapper):
        sys.stdout = Output(out.buffer, out.encoding, AS_FAR_AS_POSSIBLE, line_buffering=out.line_buffering)


def give_up() -> None:
    """Let go of what standard output keeps to be written, which would fail once more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def write(text: str) -> None:
    """Write a file's text to standard output, in UTF-8 as the file would be.

    Raises:
        UserError: it is closed, or full.
    """
    if sys.stdout is None:
        raise UserError("Cannot write to standard output: it is closed.")
    with _in_utf8():
        sys.stdout.write(text)
        sys.stdout.flush()


@contextlib.contextmanager
def _in_utf8() -> Iterator[None]:
    out = sys.stdout
    if not isinstance(out, io.TextIOWrapper):
        yield
        return
    encoding, errors = out.encoding, out.errors
    out.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        out.reconfigure(encoding=encoding, errors=errors)


def _as_far_as_possible(problem: UnicodeError) -> tuple[str | bytes, int]:
    """The byte of a name that is no text as it came, and something plain for what an encoding lacks."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    lacking, onward = problem.object[problem.start], problem.start + 1
    if "\udc80" <= lacking <= "\udcff":
        return lacking.encode("ascii", "surrogateescape"), onward
    if BLANK <= ord(lacking) <= FULL:
        return " " if ord(lacking) == BLANK else "*", onward
    return PLAIN.get(lacking, "?"), onward
