"""Trial: one training in its own folder, which survives being killed at any moment.

Writing would cost as much as training does on small data, so it goes by time. A trial *tells* its new points
before it reports, before it checkpoints and when an epoch fails: first the networks of those that none of its
other points beats, then their lines of history. It *keeps* its state, in a checkpoint behind what it told,
every few seconds, when it has finished, and when it is asked to.

So whatever a kill leaves, every line of history has its network, the history is never behind the checkpoint,
and a trial whose last line is there has finished. The next process goes on from the checkpoint. Training is a
function of seed and epoch, so the epochs between the checkpoint and the end of the history come out as they
did before: they are trained again, and neither told nor written a second time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from pathlib import Path

from gnap_search import files, results
from gnap_search.contracts import Data
from gnap_search.errors import CorruptCheckpoint, TrialError, UserError
from gnap_search.front import keeps_off
from gnap_search.results import History, Point
from gnap_search.structure import model as models
from gnap_search.training import checkpoint
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

INTERVAL = 2.0  # seconds between two checkpoints, and so what a killed process trains again at most


class Trial:
    """A trainer together with the folder that it leaves its results in.

    The networks of the `kept` epochs are left there even where other points beat them.

    Raises:
        UserError: the folder's training was on other data.

    Attributes:
        told: the points that stand in its history; after a kill they may be ahead of the trainer.
        notice: what the user should know of the start, a corrupt checkpoint for one; None for nothing.
    """

    def __init__(
        self,
        plan: Plan,
        data: Data,
        folder: Path,
        device: str = "cpu",
        owned: Callable[[], bool] = lambda: True,
        kept: Collection[int] = (),
    ) -> None:
        self.plan, self.folder, self._wanted = plan, folder, frozenset(kept)
        self._data, self._owned = data, owned
        self.trainer = Trainer(plan, data, device)
        self._history = History(folder / "history.jsonl")
        self._checkpoint = folder / "checkpoint.safetensors"
        self._refuse_if_lost()
        (folder / "models").mkdir(parents=True, exist_ok=True)
        files.replace(folder / "plan.json", plan.to_json())
        self.notice: str | None = self._go_on()
        self._unbeaten: list[Point] = []  # of the points so far, those that may stand on a front
        for point in self.points:
            self._rank(point)
        self._new: list[Point] = []  # that have not been told
        self._networks: dict[int, models.Snapshot] = {}  # epoch -> network, of new points that may be needed
        self._kept, self._kept_at = len(self.points), time.monotonic()  # the checkpoint's epochs and time

    @property
    def points(self) -> list[Point]:
        """What the trial was at the end of every epoch so far."""
        return self.trainer.points

    @property
    def finished(self) -> bool:
        """Whether every epoch is over."""
        return self.trainer.finished

    def advance(self) -> Point:
        """Train one epoch, and keep what came of the last ones if it is time.

        Raises:
            TrialError: the trial cannot go on, or the folder belongs to another process by now.
        """
        with contextlib.ExitStack() as failed:
            failed.callback(self.tell)
            point = self.trainer.epoch()
            failed.pop_all()
        stands = self._rank(point)
        if len(self.points) > len(self.told):
            self._remember(point, needed=stands or point.epoch in self._wanted)
        if self.finished or time.monotonic() - self._kept_at > INTERVAL:
            self.keep()
        return point

    def tell(self) -> None:
        """Write the networks and the lines of the points that the folder does not have yet.

        Raises:
            TrialError: the folder belongs to another process by now.
        """
        self._refuse_if_lost()
        for epoch, network in self._networks.items():
            network.save(results.network(self.folder, epoch))
        self._history.append(*self._new)
        self.told += self._new
        self._new, self._networks = [], {}

    def keep(self) -> None:
        """Tell what is new, and write the checkpoint from which a next process goes on.

        Raises:
            TrialError: the folder belongs to another process by now.
        """
        self.tell()
        if self._kept != len(self.points):
            tensors, state = self.trainer.state()
            checkpoint.save(self._checkpoint, tensors, {**state, "data": self._data.digest})
            self._kept, self._kept_at = len(self.points), time.monotonic()

    def _go_on(self) -> str | None:
        """Restore what is there; after a checkpoint that cannot be read, the trial starts again."""
        self.told, notice = list(self._history), None
        try:
            if self._checkpoint.exists():
                tensors, state = checkpoint.load(self._checkpoint)
                self._refuse_other_data(state.get("data", self._data.digest))
                self.trainer.restore(tensors, state)
        except CorruptCheckpoint as problem:
            self._checkpoint.unlink()
            self.told = []
            notice = f"trial {self.plan.trial} starts again from its first epoch: {problem}"
        if len(self.told) < len(self.points):  # the machine died, and its disk had not written all
            self.told = list(self.points)
        self._history.rewrite(self.told)
        return notice

    def _rank(self, point: Point) -> bool:
        """Put a new point among those that may stand on a front; False if another one keeps it off."""
        if any(keeps_off(other, point, self.plan.costs) for other in self._unbeaten):
            return False
        standing = [other for other in self._unbeaten if not keeps_off(point, other, self.plan.costs)]
        self._unbeaten = [*standing, point]
        return True

    def _remember(self, point: Point, *, needed: bool) -> None:
        """Hold a new point, and its network if it is needed; let go of networks that it makes needless."""
        for epoch in self._networks.keys() - {other.epoch for other in self._unbeaten} - self._wanted:
            del self._networks[epoch]
        self._new.append(point)
        if not needed:
            return
        notes = {
            "dataset": self.plan.dataset,
            "classes": list(self._data.classes),
            "method": self.plan.method,
            "point": point.id,
            "config": dict(self.plan.settings),
        }
        self._networks[point.epoch] = models.Snapshot.of(self.trainer.classifier, notes)

    def _refuse_other_data(self, digest: str) -> None:
        if digest != self._data.digest:
            raise UserError(
                f"{self.folder} holds a training on other data (digest {digest[:12]}, now "
                f"{self._data.digest[:12]}); give the same data, or choose another folder."
            )

    def _refuse_if_lost(self) -> None:
        if not self._owned():
            raise TrialError("its folder belongs to another process by now")
