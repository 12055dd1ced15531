"""Trial: one training in its own folder, which survives being killed at any moment.

After every epoch it writes, each atomically and in this order: the network, where the new point is not
beaten by an earlier one of the trial; the checkpoint, which holds the whole history; one line of history.
A process that dies between two of these leaves a folder from which the next one goes on: the checkpoint
is what counts, and the history file is made to agree with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.errors import CorruptCheckpoint, TrialError
from gnap_search.front import dominates
from gnap_search.results import History, Point
from gnap_search.structure import model as models
from gnap_search.training import checkpoint
from gnap_search.training.trainer import Plan, Trainer


class Trial:
    """A trainer together with the folder that it leaves its results in.

    Attributes:
        notice: what the user should know of the start, a corrupt checkpoint for one; None for nothing.
    """

    def __init__(
        self,
        plan: Plan,
        data: Data,
        folder: Path,
        device: str = "cpu",
        owned: Callable[[], bool] = lambda: True,
    ) -> None:
        self.plan, self.folder = plan, folder
        self._data, self._owned = data, owned
        self.trainer = Trainer(plan, data, device)
        self._history = History(folder / "history.jsonl")
        self._checkpoint = folder / "checkpoint.safetensors"
        self._refuse_if_lost()
        (folder / "models").mkdir(parents=True, exist_ok=True)
        self._keep_plan()
        self.notice: str | None = self._go_on() if self._checkpoint.exists() else None
        self._history.rewrite(self.points)

    @property
    def points(self) -> list[Point]:
        """What the trial was at the end of every epoch so far."""
        return self.trainer.points

    @property
    def finished(self) -> bool:
        """Whether every epoch is over."""
        return self.trainer.finished

    def advance(self) -> Point:
        """Train one epoch and keep what came of it.

        Raises:
            TrialError: the trial cannot go on, or the folder belongs to another process by now.
        """
        earlier = list(self.points)
        point = self.trainer.epoch()
        self._refuse_if_lost()
        # A limit on MACs may keep a point on the front that another one beats in accuracy and size.
        if not any(dominates(other, point) and other.macs <= point.macs for other in earlier):
            self._keep_network(point)
        checkpoint.save(self._checkpoint, *self.trainer.state())
        self._history.append(point)
        return point

    def _keep_plan(self) -> None:
        draft = self.folder / "plan.draft"
        draft.write_text(self.plan.to_json())
        os.replace(draft, self.folder / "plan.json")

    def _go_on(self) -> str | None:
        """Restore the checkpoint; one that cannot be read is removed, and the trial starts again."""
        try:
            self.trainer.restore(*checkpoint.load(self._checkpoint))
        except CorruptCheckpoint as problem:
            self._checkpoint.unlink()
            return f"trial {self.plan.trial} starts again from its first epoch: {problem}"
        return None

    def _keep_network(self, point: Point) -> None:
        path = self.folder / "models" / f"{point.epoch}.safetensors"
        notes = {
            "dataset": self.plan.dataset,
            "classes": list(self._data.classes),
            "method": self.plan.method,
            "point": point.id,
            "config": dict(self.plan.settings),
        }
        models.save(self.trainer.classifier, path, notes)

    def _refuse_if_lost(self) -> None:
        if not self._owned():
            raise TrialError("the study belongs to another driver by now")
