"""Drive: one driver's time with a study, from what an earlier one left to the scores on the test split."""

from __future__ import annotations

import functools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnap_search import spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.runs import Run
from gnap_search.search import cluster, interruption, resources
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.lock import Lease
from gnap_search.search.resources import Resources
from gnap_search.search.standing import Standing
from gnap_search.training.plan import Plan

if TYPE_CHECKING:
    from gnap_search.search.proposals import Proposals


class Drive:
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

    def to_the_end(self, ray: cluster.Started, trial: Resources) -> bool:
        """Settle every trial, on Ray where there is one to train; whether it was interrupted before."""
        adopted = [ask for ask in self._ledger.adopt() if not self._settled(ask)]
        self.standing.clear_away(self._ledger.settled())
        if not self._ledger.left:
            return False
        available, scratch = ray()
        cluster.sweep(self._run.folder, kept=scratch)
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
            "plan": plan(self._study, ask).to_json(),
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


def plan(study: spec.Study, ask: Ask) -> Plan:
    """What a trial is asked to do; its seed follows from the study's and from its number."""
    return Plan(
        trial=ask.number,
        seed=int(np.random.SeedSequence([study.seed, ask.number]).generate_state(1)[0]),
        settings=ask.settings,
        **study.for_each_trial(),
    )
