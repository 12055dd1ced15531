"""Confirm: one driver's time with a front's retrainings, from what an earlier one left to their figures."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gnap_search import spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search import cluster, resources, retraining
from gnap_search.search.launch import Load, refuse_place
from gnap_search.search.ledger import Ask
from gnap_search.search.lock import DriverLock, Lease, refuse_if_at_work
from gnap_search.search.resources import Resources
from gnap_search.search.retraining import Progress, Retraining, Retrainings
from gnap_search.search.workers import Workers, hired

WAY_ON = "the same command"


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a confirmation has come to; `failures` has a sentence for each training that failed."""

    failures: tuple[str, ...]
    interrupted: bool


def run(
    searched: Run,
    points: Sequence[Point],
    seeds: int,
    launch: spec.Launch,
    listener: Listener,
    load: Load,
) -> Summary:
    """Train the trials of front points with fresh seeds, until each is settled or Ctrl-C is pressed.

    The study itself stays as it is. Nothing is written when anything is refused.

    Raises:
        UserError: something is wrong with where it should run, somebody trains in the study's folder,
            its data are others, or every training failed.
    """
    searched = Run(searched.folder.absolute())  # the workers have working directories of their own
    each = resources.per_trial(launch)
    machine = resources.of_this_machine(with_gpus=each.gpus > 0)
    refuse_place(launch, searched.folder, machine, each)
    refuse_if_at_work(searched.folder)
    asked = retraining.wanted(searched, points, seeds)
    with cluster.starting(launch, machine.for_trials(len(asked), each), searched.folder, ahead=False) as ray:
        from gnap_search.search import storage

        data = load(searched.study, launch)
        searched.refuse_other_data(data.digest)
        with (
            cluster.silence(verbose=launch.verbose),
            storage.told_in_a_sentence(searched.folder, WAY_ON),
            DriverLock(searched.folder),
        ):
            return _Drive(searched, asked, data, launch, listener).to_the_end(ray, each)


class _Drive:
    """One driver's time with a front's retrainings."""

    def __init__(
        self, run: Run, asked: Sequence[Retraining], data: Data, launch: spec.Launch, listener: Listener
    ) -> None:
        self._run, self._asked, self._data = run, asked, data
        self._launch, self._listener = launch, listener
        self._lease = Lease.grant(run.folder)  # before a worker of an earlier driver finds its folder changed
        self._front = run.front()
        self._progress = Progress(asked, self._front, listener)
        self._retrainings = Retrainings(run, asked, self._progress, self._score)

    def to_the_end(self, ray: cluster.Started, each: Resources) -> Summary:
        """Settle every retraining, on Ray where there is one to train."""
        left = self._retrainings.left
        if not left:
            return Summary((), interrupted=False)
        with hired(ray, self._launch, self._lease, each, self._listener, WAY_ON) as workers:
            at_once, every = min(workers.room(), left), len(self._asked)
            self._listener.study_started(every - left, every, at_once, self._front)
            interrupted = self._train(workers)
        return Summary(self._failures(), interrupted)

    def _train(self, workers: Workers) -> bool:
        from gnap_search.search.proposals import Proposals

        orders = functools.partial(self._orders, workers=workers)
        proposals = Proposals(
            self._retrainings, self._progress, self._listener, orders, workers.room, self._lease
        )
        return workers.train(proposals, self._data) is not None

    def _orders(self, ask: Ask, workers: Workers) -> dict[str, Any]:
        """What a worker needs for a retraining."""
        one = self._asked[ask.number]
        shown = {"retrains": f"trial {one.plan.trial}", "seed": one.plan.seed, **ask.settings}
        self._listener.trial_started(ask.number, shown, one.plan.epochs)
        return workers.orders(one.plan, one.folder, one.epochs)

    def _score(self, network: Path) -> float:
        from gnap_search.training import evaluate

        return evaluate.accuracy_of(network, self._data.test)

    def _failures(self) -> tuple[str, ...]:
        """A sentence for each.

        Raises:
            UserError: no other has come to anything, now or earlier.
        """
        failures = self._retrainings.failures
        told = tuple(
            f"trial {one.plan.trial} with seed {one.plan.seed} failed: {failures[number]}"
            for number, one in enumerate(self._asked)
            if number in failures
        )
        if len(told) == len(self._asked):
            raise UserError(f"All {len(told)} trainings failed; the last one: {told[-1]}.")
        return told
