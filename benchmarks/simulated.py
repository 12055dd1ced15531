"""Simulated: a cluster of any size as a calendar; the driver and Ray Tune's controller are the real ones.

In place of Ray's actors stand entries in a calendar. What a worker does is done when its task is scheduled,
by the study's own trainable class, but for the training: that is the nearest of those in
`benchmarks/recorded`, and so many seconds are told to have gone by. The clock goes on by these, and by the
processor time of the driver, which has one core to itself; that of the workers' part does not count. What a
real cluster has besides, messages between processes, is not in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import replay
from benchmarks.replay import Table
from gnap_search import files
from gnap_search.errors import TrialError
from gnap_search.results import History, Point
from gnap_search.search import trainable
from gnap_search.search.ledger import Ask
from gnap_search.training.plan import Plan

STARTED = 10.0  # seconds until a new worker process stands
TURNED = 0.1  # seconds from one trial of a worker to its next
FAILING = 500  # of so many trials one fails, half way
JITTER = 0.1  # standard deviation of the logarithm of sizes and errors, where a recording comes again


class Clock:
    """Seconds of the cluster since its start, and those in which the driver computed."""

    def __init__(self) -> None:
        self._seconds, self._taken, self._waited = 0.0, 0.0, 0.0
        self._begun = time.thread_time()

    @property
    def busy(self) -> float:
        """The processor time of the driver by now."""
        return time.thread_time() - self._begun - self._taken

    @property
    def now(self) -> float:
        return self.busy + self._waited

    def wait_until(self, moment: float) -> None:
        """The driver has nothing to do before."""
        self._waited += max(0.0, moment - self.now)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """What is computed here is not the driver's."""
        start = time.thread_time()
        yield
        self._taken += time.thread_time() - start


class Trainings:
    """Trials as they would have gone: a recorded training each, for so many minutes in the mean."""

    def __init__(self, table: Table, minutes: float) -> None:
        self._table, self._minutes = table, minutes
        self._uses: Counter[int] = Counter()
        self.seconds = 0.0  # that all of them trained

    def of(self, plan: Plan) -> Training:
        """The training of a trial."""
        number = self._table.nearest(Ask(plan.trial, dict(plan.settings)), set())
        assert number is not None  # none is taken
        return Training(self, self.points(plan.trial, number), failing=plan.trial % FAILING == FAILING - 1)

    def points(self, trial: int, number: int) -> list[Point]:
        """A recording as that trial; where it comes again, the trial is a little larger and worse, or not."""
        recorded, random = self._table.trainings[number], np.random.default_rng(trial)
        seconds = 60 * self._minutes * random.uniform(0.5, 1.5) / recorded.epochs
        size, error = np.exp(random.normal(0, JITTER if self._uses[number] else 0, 2))
        self._uses[number] += 1
        points = [replay.point(trial, recorded, epoch) for epoch in range(recorded.epochs)]
        return [_moved(point, size, error, seconds) for point in points]


def _moved(point: Point, size: float, error: float, seconds: float) -> Point:
    """A point with sizes and error times so much."""
    return dataclasses.replace(
        point,
        parameters=max(1, round(point.parameters * size)),
        weights=max(1, round(point.weights * size)),
        macs=max(1, round(point.macs * size)),
        live_macs=max(1, round(point.live_macs * size)),
        validation_accuracy=round(max(0.0, 1 - (1 - point.validation_accuracy) * error), 5),
        seconds=seconds,
    )


class Training:
    """One training, as far as it has come."""

    notice = None

    def __init__(self, trainings: Trainings, points: list[Point], *, failing: bool) -> None:
        self._all, self._points, self._failing = trainings, points, failing
        self.told: list[Point] = []

    @property
    def finished(self) -> bool:
        return len(self.told) == len(self._points)

    def advance(self) -> Point:
        """The next epoch.

        Raises:
            TrialError: it is one of those that fail.
        """
        if self._failing and 2 * len(self.told) >= len(self._points):
            raise TrialError("it was to fail")
        point = self._points[len(self.told)]
        self.told.append(point)
        self._all.seconds += point.seconds
        return point


class Worker(trainable.Trainable):
    """A worker but for the training itself."""

    trainings: Trainings  # of the cluster; set on a class of its own
    spent = 0.0  # seconds of its last step

    def _advance(self) -> dict[str, Any]:
        if self._trial is None:
            plan = Plan.from_json(self._plan)
            (self._folder / "models").mkdir(parents=True, exist_ok=True)
            files.replace(self._folder / "plan.json", self._plan)
            self._trial = self.trainings.of(plan)
        told = len(self._trial.told)
        self.spent = 0.0
        try:
            while self.spent <= self._pace and not (self._trial.finished or self._lease.ending()):
                self.spent += self._trial.advance().seconds
        finally:
            new = self._trial.told[told:]
            for point in new:
                (self._folder / "models" / f"{point.epoch}.safetensors").touch()
            History(self._folder / "history.jsonl").append(*new)
        return self._result()


class Handle:
    """A worker as Ray hands it out."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.get_auto_filled_metrics = SimpleNamespace(remote=worker.get_auto_filled_metrics)


class Actors:
    """What Tune's controller asks of Ray's manager of actors, on a calendar."""

    def __init__(self, clock: Clock, resource_manager: object = None) -> None:
        del resource_manager  # the searcher asks for as many as fit
        self._clock = clock
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._awaited: dict[Any, int] = {}  # actor -> its newest task
        self._live_actors_to_ray_actors_resources: dict[Any, tuple[Any, None]] = {}
        self._starting: set[Any] = set()

    @property
    def num_live_actors(self) -> int:
        return len(self._live_actors_to_ray_actors_resources)

    @property
    def num_pending_actors(self) -> int:
        return len(self._starting)

    @property
    def num_total_actors(self) -> int:
        return self.num_live_actors + self.num_pending_actors

    @property
    def num_actor_tasks(self) -> int:
        return len(self._awaited)

    def next(self, timeout: float | None = None) -> bool:
        """Wait for what comes next, and let the controller know."""
        del timeout
        if not self._calendar:
            return False
        moment, _, happens = heapq.heappop(self._calendar)
        self._clock.wait_until(moment)
        happens()
        return True

    def add_actor(
        self, cls: Any, kwargs: dict[str, Any], resource_request: object, **told: Callable[..., None]
    ) -> Any:
        del resource_request
        from ray.air.execution._internal.tracked_actor import TrackedActor

        actor = TrackedActor(next(self._order), **told)
        self._starting.add(actor)
        self._later(STARTED, functools.partial(self._start, actor, cls, kwargs))
        return actor

    def schedule_actor_task(
        self,
        tracked_actor: Any,
        method_name: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        on_result: Callable[..., None] | None = None,
        **others: object,
    ) -> None:
        """A worker does at once what it is told; the controller hears of it when it would have."""
        del others
        if tracked_actor not in self._live_actors_to_ray_actors_resources:
            return  # it is given up before it stands
        worker = self._live_actors_to_ray_actors_resources[tracked_actor][0].worker
        with self._clock.elsewhere():
            result = getattr(worker, method_name)(*args, **(kwargs or {}))
        task = self._awaited[tracked_actor] = next(self._order)
        after = worker.spent if method_name == "train" else TURNED

        def happens() -> None:
            if self._awaited.get(tracked_actor) == task:
                del self._awaited[tracked_actor]
                if on_result:
                    on_result(tracked_actor, result)

        self._later(after, happens)

    def clear_actor_task_futures(self, tracked_actor: Any) -> None:
        self._awaited.pop(tracked_actor, None)

    def remove_actor(self, tracked_actor: Any, **how: object) -> bool:
        del how
        self._starting.discard(tracked_actor)
        self._live_actors_to_ray_actors_resources.pop(tracked_actor, None)
        self._later(TURNED, functools.partial(tracked_actor._on_stop or (lambda _: None), tracked_actor))
        return True

    def is_actor_started(self, tracked_actor: Any) -> bool:
        return tracked_actor in self._live_actors_to_ray_actors_resources

    def is_actor_failed(self, tracked_actor: Any) -> bool:
        del tracked_actor
        return False

    def get_live_actors_resources(self) -> dict[str, float]:
        return {}

    def cleanup(self) -> None:
        self._calendar.clear()

    def _start(self, actor: Any, cls: Any, kwargs: dict[str, Any]) -> None:
        self._starting.remove(actor)
        with self._clock.elsewhere():
            worker = cls.__ray_metadata__.modified_class(**kwargs)  # what `ray.remote` has wrapped
        self._live_actors_to_ray_actors_resources[actor] = Handle(worker), None
        actor._on_start(actor)

    def _later(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._calendar, (self._clock.now + seconds, next(self._order), happens))
