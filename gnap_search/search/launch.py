"""Launch: run a study from where it stands to its end, and say what came of it."""

from __future__ import annotations

import dataclasses
import functools
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnap_search import spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.runs import Run
from gnap_search.search import cluster, interruption, resources
from gnap_search.search import study as studies
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.lock import Lease
from gnap_search.search.resources import Resources
from gnap_search.search.standing import Standing

if TYPE_CHECKING:
    from gnap_search.search.proposals import Proposals
    from gnap_search.training.trainer import Plan


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a study has come to.

    `failed` counts the trials that failed, retries among them; `lost` the proposals that failed twice.
    """

    complete: int
    failed: int
    lost: int
    front: Front
    seconds: float
    interrupted: bool


Load = Callable[[spec.Study, spec.Launch], Data]


def run(
    study: spec.Study,
    folder: Path,
    launch: spec.Launch,
    listener: Listener,
    load: Load,
    *,
    extend: bool = False,
) -> Summary:
    """Create the study in `folder`, or go on with it, until every trial is settled or Ctrl-C is pressed.

    `load` gives the data. With `extend`, the study in the folder may have fewer trials than this one. Nothing
    is written when anything is refused.

    Raises:
        UserError: something is wrong with what was asked, or with where it should run; or every trial failed.
    """
    start = time.monotonic()
    trial = resources.per_trial(launch)
    machine = resources.of_this_machine(with_gpus=trial.gpus > 0)
    if launch.address is None:
        resources.refuse_too_few(machine, trial, "this machine")
    data = load(study, launch)
    study = study.fitted(len(data.train))
    studies.refuse_conflicts(study, folder, launch, extend=extend)
    _refuse_settings(study)
    with (
        cluster.silence(verbose=launch.verbose),
        studies.opened(study, folder, launch, data.digest) as ledger,
    ):
        drive = _Drive(study, folder, launch, listener, data, ledger)
        interrupted = drive.to_the_end(machine, trial)
        if not interrupted:
            drive.score()
        return _summary(ledger, drive.standing.front, time.monotonic() - start, interrupted=interrupted)


class _Drive:
    """One driver's time with a study."""

    def __init__(
        self,
        study: spec.Study,
        folder: Path,
        launch: spec.Launch,
        listener: Listener,
        data: Data,
        ledger: Ledger,
    ) -> None:
        self._study, self._launch, self._listener = study, launch, listener
        self._data, self._ledger = data, ledger
        self._run = Run(folder.absolute())
        self._lease = Lease.grant(self._run.folder)
        self.standing = Standing(self._run, listener)

    def to_the_end(self, machine: Resources, trial: Resources) -> bool:
        """Settle every trial; whether it was interrupted before."""
        adopted = [ask for ask in self._ledger.adopt() if not self._settled(ask)]
        self.standing.clear_away(self._ledger.settled())
        if not self._ledger.left:
            return False
        with (
            cluster.scratch(self._run.folder) as scratch,
            cluster.running(self._launch, machine, scratch) as available,
        ):
            resources.refuse_too_few(available, trial, self._launch.address or "this machine")
            workers = min(available.workers(trial), self._ledger.left)
            self._listener.study_started(self._ledger.done, self._study.trials, workers, self.standing.front)
            return self._tune(adopted, workers, trial, scratch)

    def score(self) -> None:
        """Measure the front's networks on the test split, those that have not been measured before."""
        accuracies = self._run.test_accuracies
        for point in self.standing.front.points:
            if point.id in accuracies:
                continue
            if self._run.model(point).exists():
                accuracies[point.id] = self._test_accuracy(self._run.model(point))
                self._run.keep_test_accuracies(accuracies)
            else:
                self._listener.message(
                    f"The network of point {point.id} is gone, so it has no test accuracy."
                )

    def _settled(self, ask: Ask) -> bool:
        """Answer a trial that had finished when its driver ended."""
        last = self.standing.last(ask.number)
        if last is None or last.epoch < self._study.epochs:
            return False
        self._ledger.complete(ask.number, last)
        return True

    def _tune(self, adopted: list[Ask], workers: int, trial: Resources, scratch: Path) -> bool:
        from gnap_search.search.proposals import Proposals

        configure = functools.partial(self._configuration, trial=trial)
        proposals = Proposals(self._ledger, self.standing, self._listener, configure, workers)
        proposals.adopt(adopted)
        with interruption.handled(functools.partial(self._end_gently, proposals)) as interrupted:
            _run_tune(proposals, self._data, trial, scratch)
        if proposals.halt:
            raise UserError(f"{proposals.halt}; mend that, then `gnap-search resume {self._run.name}`.")
        return interrupted.is_set()

    def _configuration(self, ask: Ask, trial: Resources) -> dict[str, Any]:
        """What a worker needs for a trial."""
        self._listener.trial_started(ask.number, ask.settings, self._study.epochs)
        return {
            "plan": _plan(self._study, ask).to_json(),
            "folder": str(self._run.trial_folder(ask.number)),
            "lease": [str(self._lease.path), self._lease.token],
            "threads": resources.threads(trial),
            "device": "cuda" if trial.gpus else "cpu",
        }

    def _end_gently(self, proposals: Proposals) -> None:
        proposals.end()
        self._lease.end()
        self._listener.message(
            "Stopping at the end of the running epochs (Ctrl-C again: at once). "
            f"Go on with `gnap-search resume {self._run.name}`."
        )

    def _test_accuracy(self, path: Path) -> float:
        from gnap_search.structure import model
        from gnap_search.training import evaluate

        classifier, _ = model.load(path)
        return evaluate.accuracy(classifier, self._data.test, device="cpu")


def _run_tune(proposals: Proposals, data: Data, trial: Resources, scratch: Path) -> None:
    """Let Ray Tune train what the proposals hand out."""
    from ray import tune
    from ray.tune import TuneError

    from gnap_search.search.proposals import DEATHS, Deaths
    from gnap_search.search.trainable import Trainable

    # Two studies on one cluster must not meet each other's code, so each has a name of its own for it.
    own = type(f"Trainable{secrets.token_hex(4)}", (Trainable,), {})
    try:
        tune.run(
            tune.with_parameters(own, data=data),
            name="study",
            storage_path=str(scratch),
            search_alg=proposals,
            callbacks=[Deaths(proposals)],
            num_samples=-1,
            resources_per_trial={"cpu": trial.cpus, "gpu": trial.gpus},
            reuse_actors=True,
            max_failures=DEATHS - 1,
            raise_on_failed_trial=False,
            trial_dirname_creator=lambda one: one.trial_id,
            verbose=0,
        )
    except TuneError:
        if proposals.problem is None:
            raise
        raise proposals.problem from None


def _plan(study: spec.Study, ask: Ask) -> Plan:
    from gnap_search.training.trainer import Plan

    return Plan(
        trial=ask.number,
        dataset=study.dataset,
        method=study.method,
        network=study.network,
        task=study.task,
        epochs=study.epochs,
        seed=int(np.random.SeedSequence([study.seed, ask.number]).generate_state(1)[0]),
        augmentation=study.augmentation,
        settings=ask.settings,
    )


def _refuse_settings(study: spec.Study) -> None:
    """See that every value that a trial may get is one that it accepts.

    Raises:
        UserError: it is not.
    """
    from gnap_search.training.trainer import check_settings

    for name, parameter in study.parameters.items():
        for value in parameter.examples():
            check_settings(study.method, {name: value})


def _summary(ledger: Ledger, front: Front, seconds: float, *, interrupted: bool) -> Summary:
    failures = ledger.failures
    complete = ledger.completed
    if failures and not complete and not interrupted:
        raise UserError(f"All {len(failures)} trials failed; the last one: {failures[max(failures)]}.")
    return Summary(complete, len(failures), len(ledger.lost()), front, seconds, interrupted)
