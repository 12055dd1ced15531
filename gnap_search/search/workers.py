"""Workers: Ray's processes, which train what is proposed to them until nothing more is."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnap_search import spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.search import cluster, interruption, nodes, pace, resources
from gnap_search.search.lock import Lease
from gnap_search.search.nodes import Room
from gnap_search.search.resources import Resources
from gnap_search.status import Stop
from gnap_search.training import sharing
from gnap_search.training.plan import Plan

if TYPE_CHECKING:
    from gnap_search.search.proposals import Proposals

INTERRUPTED = "Stopping at the end of the running epochs (Ctrl-C again: at once)."
OUT_OF_TIME = "The time that --timeout gives is over: stopping at the end of the running epochs."


@dataclasses.dataclass(frozen=True)
class Workers:
    """The workers of one driver; `hired` makes them.

    Each may write while it has the lease. `room` tells how many there can be by now. `scratch` is for Ray's
    own files, and `way_on` says in the user's words what goes on with their work after an interruption.
    """

    lease: Lease
    each: Resources
    scratch: Path
    listener: Listener
    way_on: str
    room: Callable[[], int]

    def orders(self, plan: Plan, folder: Path, kept: Sequence[int] = ()) -> dict[str, Any]:
        """What one of them needs for a trial; see `gnap_search.search.trainable`."""
        return {
            "plan": plan.to_json(),
            "folder": str(folder),
            "lease": [str(self.lease.path), self.lease.token],
            "threads": resources.threads(self.each),
            "device": "cuda" if self.each.gpus else "cpu",
            "pace": pace.between_reports(self.room()),
            "kept": list(kept),
        }

    def train(self, proposals: Proposals, data: Data, deadline: float | None = None) -> Stop | None:
        """Train everything, and say what stopped it before; the deadline is a time of `time.monotonic`.

        Raises:
            UserError: what one of them met lets none of them go on.
        """
        if 0 < self.each.gpus < 1 and (advice := sharing.advice()):
            self.listener.message(advice)
        left = None if deadline is None else deadline - time.monotonic()
        gently = functools.partial(self._end_gently, proposals)
        with (
            interruption.handled(functools.partial(gently, INTERRUPTED)) as interrupted,
            interruption.timed(left, functools.partial(gently, OUT_OF_TIME)) as late,
        ):
            self._tune(proposals, data)
        if proposals.halt:
            raise UserError(f"{proposals.halt}; mend that, then go on with {self.way_on}.")
        if interrupted.is_set():
            return "interrupted"
        return "timeout" if late.is_set() else None

    def _end_gently(self, proposals: Proposals, why: str) -> None:
        proposals.end()
        self.listener.message(f"{why} Go on with {self.way_on}.")

    def _tune(self, proposals: Proposals, data: Data) -> None:
        """Let Ray Tune train what the proposals hand out."""
        from ray import tune
        from ray.tune import TuneError

        from gnap_search.search.proposals import Deaths
        from gnap_search.search.scheduler import Scheduler
        from gnap_search.search.trainable import Trainable

        # Two studies on one cluster must not meet each other's code, so each has a name of its own for it.
        own = type(f"Trainable{secrets.token_hex(4)}", (Trainable,), {})
        try:
            tune.run(
                tune.with_parameters(own, data=data),
                name="study",
                storage_path=str(self.scratch),
                search_alg=proposals,
                scheduler=Scheduler(proposals),
                callbacks=[Deaths(proposals)],
                num_samples=-1,
                resources_per_trial={"cpu": self.each.cpus, "gpu": self.each.gpus},
                reuse_actors=True,
                max_failures=0,  # the proposals count, and hand a trial out again
                raise_on_failed_trial=False,
                trial_dirname_creator=lambda one: one.trial_id,
                verbose=0,
            )
        except TuneError:
            if proposals.problem is None:
                raise
            raise proposals.problem from None


@contextlib.contextmanager
def hired(
    ray: cluster.Started, launch: spec.Launch, lease: Lease, each: Resources, listener: Listener, way_on: str
) -> Iterator[Workers]:
    """The workers of the driver that has a lease, for as long as this block lasts; `each` is for one trial.

    What killed drivers of the same folder left of Ray is removed.

    Raises:
        UserError: no cluster answers, or a trial does not fit into what is there.
    """
    available, scratch = ray()
    cluster.sweep(lease.path.parent, kept=scratch)
    resources.refuse_too_few(available, each, launch.address)
    with nodes.watched(launch.address, available, way_on) as present:
        yield Workers(lease, each, scratch, listener, way_on, Room(present, each, listener))
