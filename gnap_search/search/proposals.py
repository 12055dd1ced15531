"""Proposals: trainings as a searcher of Ray Tune; whatever must last is kept by who asks for them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from gnap_search.contracts import Listener
from gnap_search.results import Point
from gnap_search.search.ledger import Ask
from gnap_search.search.lock import Lease

DEATHS = 3  # of a trial's worker processes at the same epoch, after which the trial has failed


class Asking(Protocol):
    """Who asks for trainings, and is answered."""

    def ask(self) -> Ask | None:
        """The next one; None when there is no more."""
        ...

    def complete(self, number: int, point: Point, /) -> str | None:
        """One has come to its last point, or was stopped at one; the reason if that means that it failed."""
        ...

    def fail(self, number: int, reason: str, /) -> None:
        """One cannot go on."""
        ...

    def repeats(self, number: int, /) -> bool:
        """Whether one that has failed is asked once more, as another one."""
        ...


class Following(Protocol):
    """Who takes in what trainings report, and knows what they leave in their folders."""

    def report(self, number: int, points: Iterable[Point], notice: str | None, /) -> bool:
        """One has new points, and with a notice it has started again; whether it is worth going on."""
        ...

    def last(self, number: int, /) -> Point | None:
        """Its newest point."""
        ...

    def forget_checkpoint(self, number: int, /) -> None:
        """It does not go on."""
        ...


class Proposals(Searcher):
    """Hands trials out, those of an earlier driver first, and answers them.

    Attributes:
        halt: why the whole study cannot go on; None while it can.
        problem: what went wrong while a result was taken in; Tune would give its text alone.
    """

    def __init__(
        self,
        asking: Asking,
        following: Following,
        listener: Listener,
        configure: Callable[[Ask], dict[str, Any]],
        room: Callable[[], int],
        lease: Lease,
    ) -> None:
        super().__init__()
        self._asking, self._following, self._listener = asking, following, listener
        self._configure, self._room, self._lease = configure, room, lease
        self._adopted: list[Ask] = []
        self._running: dict[str, Ask] = {}
        self._deaths: Counter[tuple[int, int]] = Counter()  # of a trial at an epoch
        self._ended = False
        self.halt: str | None = None
        self.problem: Exception | None = None

    def adopt(self, asks: list[Ask]) -> None:
        """Trials that have been asked already and come first."""
        self._adopted = list(asks)

    def end(self) -> None:
        """Hand out no more, and let what runs stop at the end of its epoch."""
        self._ended = True
        self._lease.end()

    # Ray's annotation leaves out the word that its documentation asks for.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # see above
        """A trial's configuration; None for not now.

        A running trial may yet fail and be retried, or move a front that has stalled.
        """
        if self._ended:
            return Searcher.FINISHED
        if len(self._running) >= self._room():
            return None
        ask = self._adopted.pop(0) if self._adopted else self._asking.ask()
        if ask is None:
            return None if self._running else Searcher.FINISHED
        self._running[trial_id] = ask
        return self._configure(ask)

    def worth_going_on(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Take in what a trial reports, and judge it."""
        with self._remembering():
            return self._take_in(self._running[trial_id].number, result)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Nothing: the scheduler has been told, which comes first."""

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002 (Ray calls it so)
    ) -> None:
        """A trial has come to its end.

        Without a result there is nothing to say yet: after an error `broken` is called, and where Ray is
        stopped, the next driver adopts the trial.
        """
        if error or not result:
            return
        with self._remembering():
            self._settle(self._running.pop(trial_id).number, result)

    def broken(self, trial_id: str, reason: str) -> None:
        """A trial's worker process has died; the next one goes on, unless the trial does not get any further.

        Deaths are counted per epoch: if the trial has progressed since the last one, it is not to blame.
        """
        ask = self._running.pop(trial_id)
        last = self._following.last(ask.number)
        moment = ask.number, last.epoch if last else 0
        self._deaths[moment] += 1
        if self._deaths[moment] < DEATHS:
            self._adopted.insert(0, ask)
            return
        with self._remembering():
            self._fail(ask.number, reason)

    def save(self, checkpoint_path: str) -> None:
        """An empty file: there is nothing to keep that Optuna does not keep."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""

    def _settle(self, number: int, result: Mapping[str, Any]) -> None:
        self._take_in(number, result)
        if result["halt"]:
            self.halt = str(result["halt"])
            self.end()
        elif result["failure"]:
            self._fail(number, str(result["failure"]))
        elif not result["ending"]:
            self._complete(number)

    def _take_in(self, number: int, result: Mapping[str, Any]) -> bool:
        points = map(Point.from_json, result["points"])
        return self._following.report(number, points, result["notice"])

    def _complete(self, number: int) -> None:
        last = self._following.last(number)
        assert last is not None  # a study has at least one epoch
        self._ended_with(number, self._asking.complete(number, last))

    def _fail(self, number: int, reason: str) -> None:
        self._asking.fail(number, reason)
        self._ended_with(number, reason)

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            self.problem = problem
            raise

    def _ended_with(self, number: int, failure: str | None) -> None:
        self._following.forget_checkpoint(number)
        again = failure is not None and self._asking.repeats(number)
        self._listener.trial_ended(number, failure, again=again)


class Deaths(tune.Callback):
    """Tells the proposals why a worker process could not do its work."""

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Ray has lost a worker process."""
        del iteration, trials, info
        self._proposals.broken(trial.trial_id, _cause(trial))


def _cause(trial: Trial) -> str:
    """One line: deaths have been counted, an exception is quoted."""
    text = Path(trial.error_file).read_text().strip() if trial.error_file else ""
    if "raised in its creation task" in text:
        return f"its worker process could not start: {text.splitlines()[-1]}"
    return f"its worker process died {DEATHS} times at the same epoch (killed, or out of memory)"
