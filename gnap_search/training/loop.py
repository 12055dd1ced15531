"""Loop: several trainings, each in a process and a folder of its own, some of them at once.

A process of its own costs a training a few seconds. In return nothing is left of it when it ends, on a GPU
above all, and one that the system kills takes no other with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from gnap_search import datasets, environment, files
from gnap_search.contracts import Data
from gnap_search.errors import TrialError, UserError, in_a_line
from gnap_search.threads import one_thread
from gnap_search.training import standalone
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

OTHERWISE = "name another --out"
NO_REASON = "its process left no reason: it was ended from outside, or the disk is full"


@dataclasses.dataclass(frozen=True)
class Errand:
    """One training: what, where, and from which data."""

    plan: Plan
    folder: Path
    data_root: Path
    device: str

    @property
    def result(self) -> dict[str, Any] | None:
        """What came of it, when it has finished."""
        path = self.folder / "result.json"
        kept: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
        return kept

    @property
    def failure(self) -> str:
        """Why it failed, as far as it could tell."""
        path = self.folder / "error.txt"
        return (path.read_text() if path.is_file() else "") or NO_REASON

    def load(self, *, download: bool) -> Data:
        """Its data.

        Raises:
            UserError: they are not there, damaged or unsuitable.
        """
        return datasets.load(
            self.plan.dataset,
            self.data_root,
            image_size=self.plan.image_size,
            training_images=self.plan.training_images,
            validation_images=self.plan.validation_images,
            download=download,
        )


def run(errands: Sequence[Errand], workers: int) -> Iterator[Errand]:
    """Train what has not finished yet, `workers` at once; each is given back when its process has ended."""
    waiting = deque(errand for errand in errands if errand.result is None)
    running: dict[int, tuple[BaseProcess, Errand]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                process = _started(waiting[0])
                running[process.sentinel] = process, waiting.popleft()
            for sentinel in connection.wait(list(running)):
                assert isinstance(sentinel, int)  # the others are connections
                process, errand = running.pop(sentinel)
                process.join()
                yield errand
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


@contextlib.contextmanager
def sole(folder: Path, otherwise: str = OTHERWISE) -> Iterator[None]:
    """Hold a folder against other processes; the kernel lets go of it when this one ends, however it does.

    `otherwise` is what else the user may do.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / "loop.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another process trains in {folder}; wait for it, or {otherwise}.") from None
        except OSError as problem:
            raise UserError(f"Cannot write {folder}: {problem.strerror}; {otherwise}.") from None
        yield


def train(errand: Errand) -> None:
    """Train to the end, from where the folder stands, score the test images once, and leave `result.json`.

    Raises:
        UserError: its folder cannot be written.
        TrialError: the training broke down, or the process that asked for it is gone.
    """
    with one_thread():
        data = errand.load(download=False)
        with standalone.writing(errand.folder, OTHERWISE):
            trial = Trial(errand.plan, data, errand.folder, errand.device, _asker_is_there)
            while not trial.finished:
                trial.advance()
            _, test_accuracy = standalone.keep_last(trial, data)
            result = json.dumps(_result(trial, data, test_accuracy), indent=1)
            files.replace(errand.folder / "result.json", result)


def _started(errand: Errand) -> BaseProcess:
    # A fork would inherit torch's threads and a GPU's context, and neither survives that.
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(errand,), daemon=True)
    process.start()
    return process


def _work(errand: Errand) -> None:
    """What a process of its own does; a failure that has a reason is left as `error.txt`."""
    # Ctrl-C reaches all processes, and the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    error = errand.folder / "error.txt"
    error.unlink(missing_ok=True)
    try:
        train(errand)
    except Exception as problem:
        known = isinstance(problem, TrialError | UserError)
        reason = str(problem) if known else in_a_line(problem)
        with contextlib.suppress(OSError):  # the disk may be full, and that be the reason
            errand.folder.mkdir(parents=True, exist_ok=True)
            error.write_text(reason)
        if known:
            sys.exit(1)
        raise


def _asker_is_there() -> bool:
    """Whether the process that started this one lives; the next one may train in the same folder."""
    parent = multiprocessing.parent_process()
    return parent is None or parent.is_alive()


def _result(trial: Trial, data: Data, test_accuracy: float) -> dict[str, Any]:
    """What is worth knowing of a finished trial; `test_accuracy` is that of its last network."""
    plan, last = trial.plan, trial.points[-1]
    return {
        **dataclasses.asdict(plan),
        "augmentation": list(trial.trainer.augmentation),
        "data_digest": data.digest,
        "point": last.id,
        "parameters": last.parameters,
        "macs": last.macs,
        "validation_accuracy": last.validation_accuracy,
        "test_accuracy": test_accuracy,
        "seconds": sum(point.seconds for point in trial.points),
        "device": _device(trial.trainer.device),
        **environment.record(),
        "history": [vars(point) for point in trial.points],
    }


def _device(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return environment.processor()
