"""Samplers: the names of `--sampler` and what Optuna has behind them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from gnap_search import spec

LEARNING = ("tpe", "nsgaii", "gp")  # those that look at earlier trials, whoever asked for them
SPREAD_FIRST = ("tpe", "gp")  # their models need trials all over the space; NSGA-II has a first generation


def build(study: spec.Study, asked: int, startup: int) -> BaseSampler:
    """A study's sampler after `asked` trials, of which the first `startup` need not be its own."""
    seed = seed_after(study, asked)
    with _experiments():
        match study.sampler:
            case "tpe":
                return tpe(study, seed, startup)
            case "nsgaii":
                return optuna.samplers.NSGAIISampler(seed=seed, population_size=population(study.trials))
            case "gp":
                return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
            case "random":
                return optuna.samplers.RandomSampler(seed=seed)
            case "qmc":
                # Its sequence goes on by the number of trials, so its seed must stay the study's own. What it
                # leaves to chance, as the settings of a second method, has none to go on by.
                return optuna.samplers.QMCSampler(
                    seed=study.seed,
                    scramble=True,
                    independent_sampler=optuna.samplers.RandomSampler(seed=seed),
                    warn_asynchronous_seeding=False,
                )


def tpe(study: spec.Study, seed: int, startup: int, *, beside: bool = True) -> TPESampler:
    """The tree-structured Parzen estimator as studies use it, after `startup` trials that are not its own.

    Where trials run `beside` one another, it counts those that have not ended as bad ones.
    """
    with _experiments():
        return TPESampler(
            seed=seed,
            n_startup_trials=startup,
            multivariate=True,
            group=any(parameter.when for parameter in study.parameters.values()),
            constant_liar=beside,
        )


@contextlib.contextmanager
def _experiments() -> Iterator[None]:
    """Parts of Optuna that it calls experimental are wanted here, and nobody is warned of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def seed_after(study: spec.Study, asked: int) -> int:
    """A seed that depends on how far the study is: one that goes on is not proposed the same again."""
    return int(np.random.SeedSequence([study.seed, asked]).generate_state(1)[0])


def own_marks(study: spec.Study) -> dict[str, Any]:
    """What a trial from elsewhere has to bear for the study's sampler to take it for one of its own.

    NSGA-II breeds from trials that bear a generation; those from elsewhere are its first.
    """
    return {NSGAIISampler._get_generation_key(): 0} if study.sampler == "nsgaii" else {}


def population(trials: int) -> int:
    """NSGA-II's population: enough generations for a study of that many trials."""
    return min(max(trials // 5, 4), 50)
