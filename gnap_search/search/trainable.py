"""Trainable: a trial as a class trainable of Ray Tune.

What survives is the trial's own folder. To Ray a trial has no state, so that a worker that dies is simply
started again, and goes on from the trial's checkpoint. Whatever goes wrong in a trial is a result with a
reason and no exception: Ray restarts those whose process died, and those alone.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import time
import traceback
from pathlib import Path
from typing import Any

from ray import tune
from safetensors import SafetensorError

from gnap_search.contracts import Data
from gnap_search.errors import TrialError, in_a_line
from gnap_search.search.lock import Lease
from gnap_search.training.plan import Plan

FULL = (errno.ENOSPC, errno.EDQUOT)


class Trainable(tune.Trainable):
    """Trains one trial after another in one process.

    Its configuration: `plan` (JSON), `folder` of the trial, `lease` (path and token), `threads`, `device`,
    `pace` (the seconds between two reports) and `kept`, the epochs whose networks are wanted whatever they
    are worth.

    A result has `points` (all that its driver may not have seen, oldest first), `notice`, `failure` (why the
    trial failed), `halt` (why the whole study cannot go on), `ending` (whether it stopped early on request)
    and Ray's own `done`.
    """

    # `tune.with_parameters` gives the data, and Ray's annotation does not know of it.
    def setup(self, config: dict[str, Any], data: Data) -> None:  # type: ignore[override]  # see above
        """Called once a process."""
        import torch

        torch.set_num_threads(config["threads"])
        self._data, self._spoilt = data, False
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Leave one trial and begin another, unless the process is spoilt.

        After some errors of a GPU nothing works in a process any more. It would fail trial after trial, and
        fast, so that it would get most of them. A process that ends is replaced, and its trial goes on there.
        """
        if self._spoilt:
            os._exit(1)
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train for as long as the pace says, at least one epoch, and report."""
        astray = self._astray()
        if astray:
            return self._result(halt=astray)
        try:
            return self._advance()
        except TrialError as problem:
            return self._result(failure=str(problem), halt=self._astray())
        except Exception as problem:  # noqa: BLE001 (a trial's code is anybody's, and one trial must not end a study)
            if _says_full(problem):
                return self._result(halt=f"No space left on device: {self._folder}")
            self._spoilt = True
            return self._result(failure=self._told(problem))

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the trial's own checkpoint is in its folder."""
        del checkpoint_dir
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the trial's own checkpoint is in its folder."""

    def _begin(self, config: dict[str, Any]) -> None:
        self._plan, self._device, self._kept = config["plan"], config["device"], config["kept"]
        self._pace = float(config["pace"])
        self._folder = Path(config["folder"])
        self._lease = Lease(Path(config["lease"][0]), config["lease"][1])
        self._trial: Any = None
        self._reported = 0

    def _astray(self) -> str | None:
        """Why a worker on this node must not go on; None when it may."""
        folder, host = self._lease.path.parent, socket.gethostname()
        shared = "put --runs on a file system that all nodes share"
        if not self._lease.path.exists():
            return f"{host} does not see {folder}: {shared}"
        if not self._lease.held():
            return f"{folder} on {host} belongs to another driver: stop that one, or {shared}"
        return None

    def _advance(self) -> dict[str, Any]:
        notice = None
        if self._trial is None:
            self._trial = self._begun()
            notice = self._trial.notice
        pause = time.monotonic() + self._pace
        while not (self._trial.finished or self._lease.ending()):
            self._trial.advance()
            if time.monotonic() > pause:
                break
        self._write()
        return self._result(notice=notice)

    def _begun(self) -> Any:
        """The trial, taken over from a worker that is dead, or that Ray only believes to be."""
        from gnap_search.training.trial import Trial

        self._folder.mkdir(parents=True, exist_ok=True)
        own = Lease.grant(self._folder, "worker.lease")
        owned = functools.partial(_all_held, self._lease, own)
        plan = Plan.from_json(self._plan)
        return Trial(plan, self._data, self._folder, self._device, owned, kept=self._kept)

    def _write(self) -> None:
        """What is reported is in the folder by then; what comes to an end early leaves its newest state."""
        if self._lease.ending():
            self._trial.keep()
        else:
            self._trial.tell()

    def _result(self, **told: str | None) -> dict[str, Any]:
        points = self._trial.told[self._reported :] if self._trial else []
        self._reported += len(points)
        finished = bool(self._trial and self._trial.finished)
        ending = self._lease.ending() and not finished
        stopped = finished or ending or told.get("failure") or told.get("halt")
        return {
            "points": [point.to_json() for point in points],
            "notice": told.get("notice"),
            "failure": told.get("failure"),
            "halt": told.get("halt"),
            "ending": ending,
            "done": bool(stopped),
        }

    def _told(self, problem: Exception) -> str:
        """One line; the whole story goes to the trial's folder, if that takes it."""
        story = "".join(traceback.format_exception(problem))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "error.txt").write_text(story)
        except OSError:
            pass
        return in_a_line(problem)


def _all_held(*leases: Lease) -> bool:
    return all(lease.held() for lease in leases)


def _says_full(problem: Exception) -> bool:
    """Whether the disk is full; safetensors has its own exception, with the system's number in its text."""
    if isinstance(problem, OSError):
        return problem.errno in FULL
    return isinstance(problem, SafetensorError) and any(
        f"(os error {number})" in str(problem) for number in FULL
    )
