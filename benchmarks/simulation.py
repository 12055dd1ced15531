"""`python -m benchmarks.simulation ...`: one study on a simulated cluster, in a process of its own.

Its driver is the real one, from the ledger on a database to Ray Tune's controller; `benchmarks.simulated`
says what stands in for the workers. It ends with an error where anything was lost: each trial has to be
answered once, nothing may be left open, and the front has to be the one that the histories give.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import processes, simulated
from benchmarks.replay import Table
from benchmarks.simulated import Clock
from gnap_search import datasets, spec
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.runs import Run
from gnap_search.search import cluster, marks, proposals, storage, trainable
from gnap_search.search import study as studies
from gnap_search.search.drive import Drive
from gnap_search.search.proposals import Proposals
from gnap_search.search.resources import Resources

NODE, TRIAL = Resources(cpus=64, gpus=8), Resources(cpus=1, gpus=1)
SHARES = 10  # equal parts of a study of which each is told


@dataclasses.dataclass(frozen=True)
class Moment:
    """How a study stood after so many trials had ended.

    Seconds: `cluster` since the start, `driver` of processor time; `ask`, `report` and `answer` are those of
    the driver's that went into proposals, reports and ends of trials, `waited` what it stood still for while
    it did these: for the disk, and for a processor. `memory` is that of the process, in MiB.
    """

    trials: int
    reports: int
    cluster: float
    driver: float
    ask: float
    report: float
    answer: float
    waited: float
    memory: float


@dataclasses.dataclass(frozen=True)
class Record:
    """What was seen of a study.

    `peak` has MiB of memory, `database` MB, `training` the seconds of all GPUs together.
    """

    moments: list[Moment]
    peak: float
    database: float
    training: float
    stopped: int
    failed: int
    front: int


class Watched(Quiet):
    """Sees a study's trials end, and what the driver does for them."""

    def __init__(self, clock: Clock, every: int) -> None:
        self._clock, self._every = clock, every
        self.moments: list[Moment] = []
        self.ended: Counter[int] = Counter()
        self._calls: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        del failure, again
        self.ended[trial] += 1
        if self.ended.total() % self._every == 0:
            self.look()

    def look(self) -> None:
        """Take down how it is now."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        told = self._seconds
        self.moments.append(
            Moment(
                trials=self.ended.total(),
                reports=self._calls["worth_going_on"] + self._calls["on_trial_complete"],
                cluster=self._clock.now,
                driver=self._clock.busy,
                ask=told["suggest"],
                report=told["worth_going_on"],
                answer=told["on_trial_complete"],
                waited=told["waited"],
                memory=pages * resource.getpagesize() / 2**20,
            )
        )

    def timing(self) -> type[Proposals]:
        """Proposals that are timed."""
        names = ("suggest", "worth_going_on", "on_trial_complete")
        return type("Timed", (Proposals,), {name: self._timed(name) for name in names})

    def _timed(self, name: str) -> Any:
        real = getattr(Proposals, name)

        @functools.wraps(real)
        def call(*arguments: Any, **named: Any) -> Any:
            busy, start = self._clock.busy, time.perf_counter()
            try:
                return real(*arguments, **named)
            finally:
                took = self._clock.busy - busy
                self._calls[name] += 1
                self._seconds[name] += took
                self._seconds["waited"] += time.perf_counter() - start - took

        return call


def seen(trials: int, gpus: int, minutes: float, url: str | None) -> Record:
    """Run a study to its end; trainings last `minutes` in the mean, between half and one and a half of it.

    Raises:
        RuntimeError: something was lost, or the study was broken off.
    """
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # all workers are in this process
    table, data = Table("digits"), datasets.load("digits")
    study = table.study.model_copy(update={"trials": trials})
    launch = spec.Launch(storage=url)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=processes.SHORT) as place:
        folder = Path(place, f"scale-{os.getpid()}")
        started = cluster.starting(launch, Resources(2, 0), folder, ahead=False)
        with started as ray, cluster.silence(verbose=False):
            _, scratch = ray()
            clock = Clock()
            watched = Watched(clock, max(1, trials // SHARES))
            trainings = simulated.Trainings(table, minutes)
            with (
                _simulated(clock, trainings, watched),
                studies.opened(study, folder, launch, data.digest) as ledger,
            ):
                drive = Drive(study, folder, launch, watched, data, ledger)
                nodes = [NODE] * max(1, gpus // int(NODE.gpus))
                ending = drive.to_the_end(lambda: (nodes, scratch), TRIAL, None)
                if ending != "finished":
                    raise RuntimeError(f"the study came to no end: {ending}")
                watched.look()
                _refuse_losses(Run(folder), url, drive.standing.front, watched.ended)
                database = folder / "study.db"
                return Record(
                    moments=watched.moments,
                    peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    database=database.stat().st_size / 1e6 if database.exists() else 0.0,
                    training=trainings.seconds,
                    stopped=ledger.stopped,
                    failed=len(ledger.failures),
                    front=len(drive.standing.front.points),
                )


@contextlib.contextmanager
def _simulated(clock: Clock, trainings: simulated.Trainings, watched: Watched) -> Iterator[None]:
    """Let what runs in this block meet a cluster of the clock's."""
    from ray.tune.execution import tune_controller

    simulated.Worker.trainings = trainings
    actors = functools.partial(simulated.Actors, clock)
    with (
        mock.patch.object(tune_controller, "RayActorManager", actors),
        mock.patch.object(trainable, "Trainable", simulated.Worker),
        mock.patch.object(proposals, "Proposals", watched.timing()),
    ):
        yield


def _refuse_losses(run: Run, url: str | None, front: Front, ended: Counter[int]) -> None:
    """See that the driver, the database and the histories say the same, and that nothing is open."""
    kept = storage.connect(run.folder, url)
    held = storage.study(kept, run.name).get_trials(deepcopy=False)
    kept.remove_session()
    kept.engine.dispose()
    states = Counter(trial.state.name for trial in held)
    originals = sum(marks.RETRY_OF not in trial.user_attrs for trial in marks.counted(held))
    losses = {
        "asked": originals != run.study.trials,
        "left open": not set(states) <= {"COMPLETE", "PRUNED", "FAIL"},
        "answered other than once": ended != Counter(trial.number for trial in held),
        "on another front": front.points != run.front().points,
    }
    if any(losses.values()):
        raise RuntimeError(f"trials were lost: {[name for name, lost in losses.items() if lost]}, {states}")


def main() -> None:
    """Print what was seen as JSON, on the last line: others may print before it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="of a training, in the mean")
    parser.add_argument("--storage", help="a database, in place of an SQLite file in the run folder")
    asked = parser.parse_args()
    record = seen(asked.trials, asked.gpus, asked.minutes, asked.storage)
    print(json.dumps(dataclasses.asdict(record)))


if __name__ == "__main__":
    main()
