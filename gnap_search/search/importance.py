"""Importance: how much each searched setting decides on a trial's accuracy and on its size.

Measured by PED-ANOVA (Watanabe, Bansal and Hutter, arXiv 2304.10255): a setting matters as far as its values
among the better half of the trials are distributed otherwise than among all. It takes hundredths of a second,
and it knows conditional settings; functional ANOVA takes seconds for 200 trials, and leaves those out.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from gnap_search.search import storage
from gnap_search.search.marks import counted

LEAST_TRIALS = 10  # Optuna advises five among the better ones
BETTER = 0.5  # the share of the trials that are the better ones


def _loss(place: int, trial: FrozenTrial) -> float:
    """The value of an objective as something that should be small; the first one is the accuracy."""
    return float(trial.values[place]) if place else -float(trial.values[0])


def measured(
    trials: Iterable[FrozenTrial], objectives: Sequence[str] = ("accuracy", "parameters")
) -> dict[str, dict[str, float]]:
    """Objective -> setting -> its share in what decides, from the largest; an objective's shares add up to 1.

    Only trials of the study that were trained to their end tell anything. An objective is left out where
    there are too few of them, or where no half of them is the better one; so is a setting with one value.
    """
    complete = [trial for trial in counted(trials) if trial.state == TrialState.COMPLETE]
    settings = _varied(complete)
    if len(complete) < LEAST_TRIALS or not settings:
        return {}
    study = optuna.create_study(directions=storage.directed(objectives[1:]))
    study.add_trials(complete)
    targets = {objective: functools.partial(_loss, place) for place, objective in enumerate(objectives)}
    return {
        objective: _shares(study, settings, target)
        for objective, target in targets.items()
        if _has_halves([target(trial) for trial in complete])
    }


def _varied(trials: Sequence[FrozenTrial]) -> list[str]:
    """The settings that have at least two different values."""
    drawn: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            drawn.setdefault(name, set()).add(value)
    return [name for name, values in drawn.items() if len(values) > 1]


def _has_halves(values: Sequence[float]) -> bool:
    """Whether some values are above the best half of them; of equal ones none is better."""
    return sorted(values)[math.ceil(BETTER * len(values)) - 1] < max(values)


def _shares(
    study: optuna.Study, settings: list[str], target: Callable[[FrozenTrial], float]
) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that low targets are the better ones, as they are here
        return optuna.importance.get_param_importances(
            study,
            evaluator=PedAnovaImportanceEvaluator(target_quantile=BETTER),
            params=settings,
            target=target,
        )
