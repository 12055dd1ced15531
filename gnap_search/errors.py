"""Errors: what the user can mend, what ends a trial, what makes it begin anew; and how problems are told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

REFUSED, BROKEN_DOWN, INTERRUPTED = 2, 1, 130  # exit codes: the user can mend it; a training failed; Ctrl-C


class UserError(Exception):
    """Bad input: one sentence that says what, what was expected and what to do; exit code 2."""


class TrialError(Exception):
    """A trial cannot go on (a NaN loss, say); its study records the reason and goes on without it."""


class CorruptCheckpoint(Exception):
    """A checkpoint cannot be read; the trial restarts from its first epoch and says so."""


def first_line(problem: BaseException) -> str:
    """What a library says of a problem, as far as it fits into a sentence."""
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return lines[0].strip().rstrip(".:")


def in_a_line(problem: BaseException) -> str:
    """What kind of problem it is, and the first line of what it says."""
    first = (str(problem).splitlines() or [""])[0]
    return f"{type(problem).__name__}: {first}"


def refuse_unknown(keys: Iterable[str], known: Iterable[str]) -> None:
    """See that all keys are known ones.

    Raises:
        UserError: one is not; the nearest one is told.
    """
    known = list(known)
    unknown = next((key for key in keys if key not in known), None)
    if unknown is not None:
        raise UserError(f"unknown key {unknown!r}; {nearest(unknown, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that helps with a misspelt name: the closest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}."
