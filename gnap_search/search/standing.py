"""Standing: a study's points as its driver knows them, their front, and the files that are worth keeping."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gnap_search.contracts import Listener
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.runs import Run, forget_way_on
from gnap_search.search.foresight import Foresight
from gnap_search.search.halving import ParetoHalving


class Standing:
    """All points of a run so far, kept in step with its trials' reports."""

    def __init__(self, run: Run, listener: Listener, timeout: float = 0) -> None:
        """`timeout` is how many seconds the study has, and 0 no limit."""
        self._run, self._listener, self._epochs = run, listener, run.study.epochs
        self._points = {trial: _history(run, trial) for trial in run.with_folder()}
        self._spent = {trial: _macs(points.values()) for trial, points in self._points.items()}
        begun = any(self._points.values())  # who resumes a study gives it time for a part
        self._foresight = Foresight(self._epochs, 0 if begun else timeout)
        self.front = self._recount()
        costs = run.study.costs
        self._halving = (
            ParetoHalving(self._epochs, costs) if run.study.scheduler == "pareto-halving" else None
        )
        # Only the verdict at the newest point is still open: the earlier driver trained past all others.
        judged = {trial: self._judged(points.values()) for trial, points in self._points.items()}
        self._verdicts = {trial: verdicts[-1] for trial, verdicts in judged.items() if verdicts}

    def telling(self, trial: int) -> Iterable[Point]:
        """The points of a trial that may stand on a front: all, or where it is settled, its own front's."""
        return self._points.get(trial, {}).values()

    def last(self, trial: int) -> Point | None:
        """A trial's newest point."""
        return next(reversed(self._points.get(trial, {}).values()), None)

    def cost(self, trial: int) -> float:
        """What training a trial to its end takes, in MACs an image; 0 where it has no point yet.

        The epochs to come are taken to cost what the last one did.
        """
        last = self.last(trial)
        if last is None:
            return 0.0
        return self._spent[trial] + last.macs * max(0, self._epochs - last.epoch)

    def worth_going_on(self, trial: int) -> bool:
        """How a trial was judged at its newest points."""
        return self._verdicts.get(trial, True)

    def report(self, trial: int, points: Iterable[Point], notice: str | None) -> bool:
        """Take in a trial's points, and say whether it is worth going on; known points count once."""
        if notice:
            self._listener.message(notice)
            self._start_again(trial)
        known = self._points.setdefault(trial, {})
        new = [point for point in points if point.epoch not in known]
        self._spent[trial] = self._spent.get(trial, 0) + _macs(new)
        for point in new:
            known[point.epoch] = point
            self._place(point)
            self._listener.epoch_ended(point, self.front)
            if warning := self._foresight.warning(point):
                self._listener.message(warning)
        if new:
            self._verdicts[trial] = all(self._judged(new))
        return self.worth_going_on(trial)

    def clear_away(self, settled: Iterable[int]) -> None:
        """Delete what an earlier driver left: networks off the front, and checkpoints of settled trials."""
        kept = {self._run.model(point) for point in self.front.points}
        settled = set(settled)
        for trial, points in self._points.items():
            if trial in settled:
                self.forget_checkpoint(trial)
            for path in (self._run.trial_folder(trial) / "models").glob("*.safetensors"):
                # A network without a line in the history belongs to the epoch at which its trial will go on.
                if path not in kept and (trial in settled or _epoch(path) in points):
                    path.unlink()

    def forget_checkpoint(self, trial: int) -> None:
        """A settled trial does not go on: most of its points can be of no use any more."""
        forget_way_on(self._run.trial_folder(trial))
        points = self._points.get(trial, {})
        if points:
            own = self.front.of(points.values()).points
            kept = sorted({*(point.epoch for point in own), max(points)})
            self._points[trial] = {epoch: points[epoch] for epoch in kept}

    def _start_again(self, trial: int) -> None:
        self._points.pop(trial, None)
        self._spent.pop(trial, None)
        self._verdicts.pop(trial, None)
        self.front = self._recount()
        if self._halving:
            self._halving.forget(trial)

    def _judged(self, points: Iterable[Point]) -> list[bool]:
        """Of each of a trial's next points: whether it is worth going on from."""
        halving = self._halving
        return [halving is None or halving.goes_on(point, self.front) for point in points]

    def _place(self, point: Point) -> None:
        entered, beaten = self.front.add(point)
        for other in beaten if entered else [point]:
            self._run.model(other).unlink(missing_ok=True)

    def _recount(self) -> Front:
        return self._run.study.front(point for known in self._points.values() for point in known.values())


def _history(run: Run, trial: int) -> dict[int, Point]:
    return {point.epoch: point for point in run.history(trial)}


def _macs(points: Iterable[Point]) -> int:
    return sum(point.macs for point in points)


def _epoch(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0
