"""Work: what the trials of a measured study do, the same for every variant."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

from gnap_search.contracts import Data
from gnap_search.spec import Study

SEED = 7
SEARCHED: dict[str, dict[str, Any]] = {
    "pruning_strength": {"low": 3e-5, "high": 3e-3, "log": True},
    "growth_factor": {"low": 1.2, "high": 2.0},
    "saturation_patience": {"low": 1, "high": 4},
}


@dataclasses.dataclass(frozen=True)
class Work:
    """A trial: `epochs` of digits, or a sleep of `pause` seconds where there are none."""

    trials: int
    pause: float = 0.0
    epochs: int = 0

    @property
    def study(self) -> Study:
        """The study that is measured; its three parameters are those that GNAP usually searches."""
        values = {"dataset": "digits", "trials": self.trials, "epochs": self.epochs or 1, "seed": SEED}
        return Study.model_validate({**values, "parameters": SEARCHED})

    def results(self, settings: Mapping[str, Any], data: Data | None) -> Iterator[dict[str, float]]:
        """One trial without a study around it: what it has to report after every epoch, and its seconds."""
        if data is None:
            time.sleep(self.pause)
            yield {"accuracy": 0.5, "parameters": 1000.0, "seconds": self.pause}
            return
        yield from self._trained(settings, data)

    def _trained(self, settings: Mapping[str, Any], data: Data) -> Iterator[dict[str, float]]:
        import torch

        from gnap_search.training.plan import Plan
        from gnap_search.training.trainer import Trainer

        torch.set_num_threads(1)
        plan = Plan(trial=0, seed=SEED, settings=dict(settings), **self.study.for_each_trial())
        trainer = Trainer(plan, data)
        while not trainer.finished:
            point = trainer.epoch()
            yield {
                "accuracy": point.validation_accuracy,
                "parameters": float(point.parameters),
                "seconds": point.seconds,
            }


@dataclasses.dataclass(frozen=True)
class Record:
    """What was seen of one study.

    `ended` are the moments at which its trials ended, in seconds; `worked` the seconds that they worked, all
    of them together; `shared` and `private` the memory of a worker in MiB: its proportional share (PSS), and
    what it has alone (USS); `files` and `kilobytes` what a trial left.
    """

    workers: int
    ended: list[float]
    worked: float
    shared: float
    private: float
    files: float
    kilobytes: float

    @property
    def seconds_a_trial(self) -> float:
        """The time between the ends of two trials, once a study is under way: after a fifth of them.

        Trials of one length end in waves, one for each worker; both ends are the end of a wave.
        """
        first = max(len(self.ended) // 5 // self.workers, 1) * self.workers - 1
        first = min(first, len(self.ended) - 2)
        return (self.ended[-1] - self.ended[first]) / (len(self.ended) - 1 - first)

    @property
    def overhead(self) -> float:
        """Seconds of a worker, for each trial, that the trial did not work."""
        return self.seconds_a_trial * self.workers - self.worked / len(self.ended)
