"""Twin: a study's trials in its storage and, the same ones, in memory.

A sampler reads every trial again and again, and writes each of its draws on its own. It does so in memory,
and a trial goes to the storage when it is drawn, as a whole. Every other change is in the storage first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import BaseTrial, FixedTrial, FrozenTrial, TrialState

Draw = Callable[[BaseTrial], dict[str, Any]]


class Twin:
    """The trials of one study; this process alone writes them.

    A queued trial is in memory alone until it is asked. What has a number has the same one on both sides.
    """

    def __init__(self, kept: optuna.Study, storage: BaseStorage) -> None:
        self._kept, self._storage = kept, storage
        self._kept_id = storage.get_study_id_from_name(kept.study_name)
        self._memory = InMemoryStorage()
        self._quick = optuna.create_study(storage=self._memory, directions=kept.directions)
        self._quick_id = self._memory.get_study_id_from_name(self._quick.study_name)
        self._noted = dict(storage.get_study_system_attrs(self._kept_id))
        for name, value in self._noted.items():
            self._memory.set_study_system_attr(self._quick_id, name, value)
        self._quick.add_trials(kept.get_trials(deepcopy=False))
        # queued in the storage by another program, not by this driver
        self._queued = {trial.number for trial in self.trials(TrialState.WAITING)}

    def sampled_by(self, sampler: optuna.samplers.BaseSampler) -> None:
        """Ask this sampler from now on."""
        self._quick.sampler = sampler

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Those in one of the states, or all."""
        return self._quick.get_trials(deepcopy=False, states=states or None)

    def queue(self, values: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> None:
        """Let the next trial that is asked have these values and user attributes."""
        self._quick.enqueue_trial(dict(values), user_attrs=dict(attributes or {}))

    def add(self, trial: FrozenTrial) -> None:
        """Take in a trial as it is."""
        for study in (self._kept, self._quick):
            study.add_trial(trial)

    def ask(self, draw: Draw, values: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """A new trial, which is in the storage when this returns: its number, and what was drawn.

        Without values it is the next one that is queued, or one of the sampler.
        """
        if values is not None:
            return self._ask_these(draw, FixedTrial(dict(values)))
        trial = self._quick.ask()
        drawn = draw(trial)
        self._keep_sampler()
        frozen = self.trials()[trial.number]
        if trial.number in self._queued:  # it is the one that the storage hands out next as well
            self._copy(frozen, self._kept.ask())
        else:
            self._kept.add_trial(frozen)
        return trial.number, drawn

    def _ask_these(self, draw: Draw, values: FixedTrial) -> tuple[int, dict[str, Any]]:
        """A trial of values that are known: neither a queue nor the sampler has to look at it."""
        drawn = draw(values)
        self.add(
            optuna.create_trial(
                state=TrialState.RUNNING, params=values.params, distributions=values.distributions
            )
        )
        return len(self.trials()) - 1, drawn

    def mark(self, number: int, name: str, value: Any) -> None:
        """Set a user attribute of a trial."""
        for trial in self._both(number):
            trial.set_user_attr(name, value)

    def constrain(self, number: int, gaps: Mapping[str, float]) -> None:
        """Tell how far a trial is past its limits, those of which nothing is told yet."""
        for trial in self._both(number):
            for name, gap in gaps.items():
                if name not in trial.constraints:
                    trial.set_constraint(name, gap)

    def tell(
        self, number: int, values: Sequence[float] | None = None, state: TrialState = TrialState.FAIL
    ) -> None:
        """Answer a trial with its values, or without any as one in that state."""
        state = state if values is None else TrialState.COMPLETE
        for study in (self._kept, self._quick):
            study.tell(number, values, state=state)

    def _copy(self, drawn: FrozenTrial, kept: optuna.Trial) -> None:
        """Let a trial of the storage have what was drawn."""
        place = self._storage.get_trial_id_from_study_id_trial_number(self._kept_id, kept.number)
        for name, distribution in drawn.distributions.items():
            value = distribution.to_internal_repr(drawn.params[name])
            self._storage.set_trial_param(place, name, value, distribution)

    def _both(self, number: int) -> list[optuna.Trial]:
        """A trial on both sides, whichever driver asked for it."""
        sides = ((self._kept, self._storage, self._kept_id), (self._quick, self._memory, self._quick_id))
        return [
            optuna.Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))
            for study, storage, study_id in sides
        ]

    def _keep_sampler(self) -> None:
        """Keep what samplers note about the study as a whole."""
        for name, value in self._memory.get_study_system_attrs(self._quick_id).items():
            if self._noted.get(name) != value:
                self._storage.set_study_system_attr(self._kept_id, name, value)
                self._noted[name] = copy.deepcopy(value)
