"""Pretended: trials whose training is nothing, or a sleep; all else about them is real.

The driver, Optuna's storage, the run folder, the front, Ray Tune and its workers are those of any study. A
pretended trial checks its lease and leaves its plan and its history in its folder as a real one does; it has
no network and no checkpoint to write.
"""

from __future__ import annotations

import time
from typing import Any

from gnap_search import files
from gnap_search.results import History, Point
from gnap_search.search.trainable import Trainable
from gnap_search.training.plan import Plan


class Empty(Trainable):
    """Trials that end at once."""

    PAUSE = 0.0

    def _advance(self) -> dict[str, Any]:
        self._trial = _Trial(Plan.from_json(self._plan), self.PAUSE)
        (self._folder / "models").mkdir(parents=True, exist_ok=True)
        files.replace(self._folder / "plan.json", self._plan)
        time.sleep(self.PAUSE)
        History(self._folder / "history.jsonl").rewrite(self._trial.told)
        return self._result()


class Sleeping(Empty):
    """Trials of one second."""

    PAUSE = 1.0


class Long(Empty):
    """Trials of half a minute."""

    PAUSE = 30.0


TRAINABLES = {trainable.PAUSE: trainable for trainable in (Empty, Sleeping, Long)}


class _Trial:
    """What is left of a trial when its training is taken out: a point that follows from its settings."""

    finished = True

    def __init__(self, plan: Plan, seconds: float) -> None:
        strength = float(plan.settings["pruning_strength"])
        self.told = [
            Point(
                trial=plan.trial,
                epoch=plan.epochs,
                parameters=int(10 / strength),
                weights=int(9 / strength),
                macs=int(100 / strength),
                live_macs=int(90 / strength),
                validation_accuracy=1 - 100 * strength,
                validation_loss=0.1,
                training_loss=0.1,
                learning_rate=3e-3,
                phase="finishing",
                widths={"first": 4},
                seconds=seconds,
            )
        ]
