"""One driver at a time: the second is refused while the first lives, and let in when it has died."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.runs import Run
from gnap_search.search import answers
from gnap_search.search.lock import (
    DriverLock,
    Lease,
    is_driven,
    is_looped,
    refuse_if_at_work,
    refuse_if_driven,
)
from gnap_search.training import loop
from tests.search.conftest import small_study

HOLDER = """
import sys, time
from pathlib import Path
from gnap_search.search.lock import DriverLock
with DriverLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_driver_is_refused_by_name_and_let_in_after_a_kill(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(UserError, match=f"process {holder.pid} on "):
            DriverLock(tmp_path).__enter__()
        with pytest.raises(UserError, match=f"process {holder.pid} on "):
            refuse_if_driven(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    refuse_if_driven(tmp_path)
    with DriverLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "driver.lock").read_text()


def test_looking_does_not_lock(tmp_path: Path):
    refuse_if_driven(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with DriverLock(tmp_path):
        pass
    refuse_if_driven(tmp_path)
    with DriverLock(tmp_path):
        pass


def test_whoever_looks_turns_no_driver_away(tmp_path: Path):
    with DriverLock(tmp_path):
        pass
    with (tmp_path / "driver.lock").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        refuse_if_driven(tmp_path)
        threading.Timer(0.2, looked_at.close).start()
        with DriverLock(tmp_path):
            pass


def test_what_is_open_for_reading_is_locked_as_nfs_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with DriverLock(tmp_path):
        pass
    flock = fcntl.flock

    def of_nfs(file: IO[str], kind: int) -> None:
        if kind & fcntl.LOCK_EX and not file.writable():
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", of_nfs)
    refuse_if_driven(tmp_path)


@pytest.fixture
def lockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lustre, mounted without -o flock."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refused)


@pytest.mark.usefixtures("lockless")
def test_a_file_system_without_locks_is_told_with_what_to_do(tmp_path: Path):
    with pytest.raises(UserError, match=r"driver\.lock knows no locks, .* another one"):
        DriverLock(tmp_path).__enter__()


@pytest.mark.usefixtures("lockless")
def test_nobody_is_at_work_where_nobody_could_begin(tmp_path: Path):
    for name in ("driver.lock", "loop.lock"):
        (tmp_path / name).touch()  # as a folder has them that was copied there
    assert not is_driven(tmp_path) and not is_looped(tmp_path)
    with pytest.raises(UserError, match=r"driver\.lock knows no locks"):
        refuse_if_driven(tmp_path)
    (tmp_path / "study.toml").write_text(small_study().to_toml())
    (tmp_path / "launch.toml").write_text(spec.Launch().to_toml())
    assert answers.status(Run(tmp_path)).state == "stopped"


def test_somebody_is_at_work_whoever_trains(tmp_path: Path):
    refuse_if_at_work(tmp_path)
    with loop.sole(tmp_path):
        assert is_looped(tmp_path) and not is_driven(tmp_path)
        refuse_if_driven(tmp_path)
        with pytest.raises(UserError, match=f"given trainings of '{tmp_path.name}' are at work"):
            refuse_if_at_work(tmp_path)
    with DriverLock(tmp_path):
        assert is_driven(tmp_path) and not is_looped(tmp_path)
        with pytest.raises(UserError, match=r"is being driven by process"):
            refuse_if_at_work(tmp_path)
    refuse_if_at_work(tmp_path)


def test_a_new_lease_ends_the_old_one(tmp_path: Path):
    old = Lease.grant(tmp_path)
    assert old.held() and not old.ending()
    new = Lease.grant(tmp_path)
    assert not old.held() and old.ending()
    assert new.held() and not new.ending()


def test_a_lease_that_ends_is_held_to_the_last_write(tmp_path: Path):
    lease = Lease.grant(tmp_path)
    lease.end()
    assert lease.held() and lease.ending()


def test_a_lease_whose_folder_is_gone_is_lost(tmp_path: Path):
    lease = Lease.grant(tmp_path)
    lease.path.unlink()
    assert not lease.held() and lease.ending()
