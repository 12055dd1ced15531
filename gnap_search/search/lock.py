"""Lock and lease: one driver a study, one worker a trial, and no writing worker that outlived its driver.

The kernel frees the lock when its holder dies, however it dies. Workers of a killed driver may live on for a
moment; so may a worker that could not be reached, and whose trial another one has taken over. They compare
the leases that they were given, the study's and the trial's, with those in the folders before every write.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import IO, Self

from gnap_search import files
from gnap_search.errors import UserError

LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # what a shared file system may say of a lock
TRIES, PAUSE = 20, 0.05  # to lock, and seconds between two: who only looks holds a lock for a moment


class DriverLock:
    """The right to drive a study; a context manager.

    Raises:
        UserError: another process holds it; its id and host are told. Or the file system knows no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "driver.lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as refused:
            file = refused.enter_context(self._path.open("a+"))
            for _ in range(TRIES):
                if _locked(file, fcntl.LOCK_EX):
                    break
                time.sleep(PAUSE)
            else:
                raise UserError(_refusal(self._path.parent.name, _holder(self._path)))
            refused.pop_all()
        self._file = file
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        file.flush()
        return self

    def __exit__(self, *problem: object) -> None:
        if self._file is not None:
            self._file.close()


def refuse_if_driven(folder: Path) -> None:
    """Find out, without writing anything, whether a study may be driven.

    Raises:
        UserError: another process drives it, or the file system knows no locks.
    """
    path = folder / "driver.lock"
    if _is_held(path):
        raise UserError(_refusal(folder.name, _holder(path)))


def refuse_if_at_work(folder: Path) -> None:
    """Find out, without writing anything, whether anybody trains in a study's folder.

    Raises:
        UserError: somebody does, a driver or the plain loop, or the file system knows no locks.
    """
    refuse_if_driven(folder)
    if _is_held(folder / "loop.lock"):
        raise UserError(
            f"The given trainings of {folder.name!r} are at work; wait for them to end, or stop them first."
        )


def is_driven(folder: Path) -> bool:
    """Whether a driver is at work in a folder, without writing anything."""
    return _seems_held(folder / "driver.lock")


def is_looped(folder: Path) -> bool:
    """Whether the plain loop trains in a folder, without writing anything."""
    return _seems_held(folder / "loop.lock")


@dataclasses.dataclass(frozen=True)
class Lease:
    """What tells a driver's workers from those of an earlier one, and tells them when to come to an end."""

    path: Path
    token: str

    @classmethod
    def grant(cls, folder: Path, name: str = "driver.lease") -> Self:
        """A new lease; every earlier one of this folder and name has ended."""
        lease = cls(folder / name, secrets.token_hex(8))
        files.replace(lease.path, lease.token)
        return lease

    def end(self) -> None:
        """Ask the workers to stop at the end of their epoch; those of a later driver are not asked."""
        if self.held():
            files.replace(self.path, f"{self.token} ending")

    def held(self) -> bool:
        """Whether its driver is the study's driver still."""
        return self._words()[:1] == [self.token]

    def ending(self) -> bool:
        """Whether trials should stop at the end of their epoch."""
        return self._words() != [self.token]

    def _words(self) -> list[str]:
        try:
            return self.path.read_text().split()
        except FileNotFoundError:
            return []


def _is_held(path: Path) -> bool:
    """Whether another process has locked a file, which need not be there.

    Raises:
        UserError: its file system has no locks.
    """
    if not path.exists():
        return False
    with path.open() as file:
        return not _locked(file, fcntl.LOCK_SH)  # all that NFS gives a file that is open for reading


def _seems_held(path: Path) -> bool:
    """The same for who only looks: where the file system has no locks, nobody could have begun."""
    try:
        return _is_held(path)
    except UserError:
        return False


def _locked(file: IO[str], kind: int) -> bool:
    """Lock an open file, alone or beside others that do; whether it worked.

    Raises:
        UserError: its file system has no locks.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        if problem.errno not in LOCKLESS:
            raise
        raise UserError(
            f"The file system of {file.name} knows no locks, which keep a second driver out; "
            "mount it with them (Lustre: -o flock), or put --runs on another one."
        ) from None
    return True


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError):  # it has the lock and has not signed yet
        return "another process"


def _refusal(name: str, holder: str) -> str:
    return f"Study {name!r} is being driven by {holder}; wait for it to end, or stop it first."
