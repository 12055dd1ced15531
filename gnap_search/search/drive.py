"""Drive: one driver's time with a study, from what an earlier one left to the scores on the test split."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search import qualified, spec
from gnap_search.contracts import Data, Listener
from gnap_search.runs import Run, found_by
from gnap_search.search import cluster
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.lock import Lease
from gnap_search.search.resources import Resources
from gnap_search.search.standing import Standing
from gnap_search.search.workers import Workers, hired
from gnap_search.status import Ending, Stop
from gnap_search.training.plan import Plan


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
        self.standing = Standing(self._run, listener, launch.timeout)
        self._ledger.attend(self.standing, launch.patience_trials)

    def to_the_end(self, ray: cluster.Started, trial: Resources, deadline: float | None) -> Ending:
        """Settle every trial, on Ray where there is one to train, and say why that came to its end.

        The deadline is a time of `time.monotonic`.
        """
        adopted = [ask for ask in self._ledger.adopt() if not self._settled(ask)]
        self.standing.clear_away(self._ledger.settled())
        if not self._ledger.left:
            return "finished"
        if self._ledger.stalled and not adopted:
            return "patience"
        way_on = f"`gnap-search resume {found_by(self._run.folder)}`"
        with hired(ray, self._launch, self._lease, trial, self._listener, way_on) as workers:
            at_once = min(workers.room(), self._ledger.left)
            self._listener.study_started(self._ledger.done, self._study.trials, at_once, self.standing.front)
            stop = self._train(adopted, workers, deadline)
        return (stop or "patience") if self._ledger.left else "finished"

    def score(self) -> None:
        """Measure the front's networks on the test split, those that have not been measured before."""
        from gnap_search.training import evaluate

        accuracies = self._run.test_accuracies
        for point in self.standing.front.points:
            if point.id in accuracies:
                continue
            if self._run.model(point).exists():
                accuracies[point.id] = evaluate.accuracy_of(self._run.model(point), self._data.test)
                self._run.keep_test_accuracies(accuracies)
            else:
                self._listener.message(
                    f"The network of point {point.id} is gone, so it has no test accuracy."
                )

    def _settled(self, ask: Ask) -> bool:
        """Answer a trial that had finished, or was to be stopped, when its driver ended."""
        last = self.standing.last(ask.number)
        if last is None or (last.epoch < self._study.epochs and self.standing.worth_going_on(ask.number)):
            return False
        self._ledger.complete(ask.number, last)
        return True

    def _train(self, adopted: list[Ask], workers: Workers, deadline: float | None) -> Stop | None:
        from gnap_search.search.proposals import Proposals

        orders = functools.partial(self._orders, workers=workers)
        proposals = Proposals(self._ledger, self.standing, self._listener, orders, workers.room, self._lease)
        proposals.adopt(adopted)
        return workers.train(proposals, self._data, deadline)

    def _orders(self, ask: Ask, workers: Workers) -> dict[str, Any]:
        """What a worker needs for a trial."""
        self._listener.trial_started(ask.number, ask.settings, self._study.epochs)
        return workers.orders(plan(self._study, ask), self._run.trial_folder(ask.number))


def plan(study: spec.Study, ask: Ask) -> Plan:
    """What a trial is asked to do; its seed follows from the study's and from its number."""
    method, settings = qualified.configured(study.method, ask.settings)
    return Plan(
        trial=ask.number,
        seed=int(np.random.SeedSequence([study.seed, ask.number]).generate_state(1)[0]),
        settings=settings,
        **{**study.for_each_trial(), "method": method},
    )
