"""Proposals: the ledger as a searcher of Ray Tune; whatever must last is kept by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from gnap_search.contracts import Listener
from gnap_search.results import Point
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.standing import Standing

DEATHS = 3  # of a trial's worker process, after which the trial has failed


class Proposals(Searcher):
    """Hands trials out, those of an earlier driver first, and answers them.

    Attributes:
        halt: why the whole study cannot go on; None while it can.
    """

    def __init__(
        self,
        ledger: Ledger,
        standing: Standing,
        listener: Listener,
        configure: Callable[[Ask], dict[str, Any]],
        workers: int,
    ) -> None:
        super().__init__()
        self._ledger, self._standing, self._listener = ledger, standing, listener
        self._configure, self._workers = configure, workers
        self._adopted: list[Ask] = []
        self._running: dict[str, int] = {}
        self._ended = False
        self.halt: str | None = None

    def adopt(self, asks: list[Ask]) -> None:
        """Trials that have been asked already and come first."""
        self._adopted = list(asks)

    def end(self) -> None:
        """Hand out no more."""
        self._ended = True

    # Ray's annotation leaves out the word that its documentation asks for.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """A trial's configuration; None for not now, because a running trial may yet fail and be retried."""
        if self._ended:
            return Searcher.FINISHED
        if len(self._running) >= self._workers:
            return None
        ask = self._adopted.pop(0) if self._adopted else self._ledger.ask()
        if ask is None:
            return None if self._running else Searcher.FINISHED
        self._running[trial_id] = ask.number
        return self._configure(ask)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """A trial goes on."""
        self._take_in(self._running[trial_id], result)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """A trial has come to its end, of whichever kind."""
        number = self._running.pop(trial_id)
        if result:
            self._take_in(number, result)
        if error:
            self._fail(number, f"its worker process died {DEATHS} times (killed, or out of memory)")
        elif not result:
            return  # Ray is being stopped; the next driver adopts the trial
        elif result["halt"]:
            self.halt = str(result["halt"])
            self.end()
        elif result["failure"]:
            self._fail(number, str(result["failure"]))
        elif not result["ending"]:
            self._complete(number)

    def settle(self, number: int) -> None:
        """Answer a trial that an earlier driver saw, or could have seen, finish."""
        self._complete(number)

    def save(self, checkpoint_path: str) -> None:
        """An empty file: there is nothing to keep that Optuna does not keep."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""

    def _take_in(self, number: int, result: Mapping[str, Any]) -> None:
        points = map(Point.from_json, result["points"])
        self._standing.report(number, points, result["notice"])

    def _complete(self, number: int) -> None:
        last = self._standing.last(number)
        assert last is not None  # a study has at least one epoch
        self._ended_with(number, self._ledger.complete(number, last))

    def _fail(self, number: int, reason: str) -> None:
        self._ledger.fail(number, reason)
        self._ended_with(number, reason)

    def _ended_with(self, number: int, failure: str | None) -> None:
        self._standing.forget_checkpoint(number)
        self._listener.trial_ended(number, failure)
