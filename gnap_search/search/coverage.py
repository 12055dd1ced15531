"""Coverage: the first proposals of a study, spread evenly over its search space.

They are a pure function of the study and their index, so that a study that goes on continues the sequence.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from gnap_search import spec
from gnap_search.settings import Value
from gnap_search.space import draw

LEAST, MOST = 4, 16
POINTS = 64  # of the sequence, a power of two above MOST: enough to find as many different ones


def proposals(study: spec.Study) -> int:
    """How many proposals are spread out: a third, where the sampler learns from earlier trials."""
    if study.sampler not in ("tpe", "gp"):
        return 0
    return min(max(round(study.trials / 3), LEAST), MOST, study.trials)


def proposal(study: spec.Study, index: int) -> dict[str, Value]:
    """The searched settings of one of the first proposals, from a scrambled Sobol sequence.

    Equal configurations are left out for as long as there are different ones.
    """
    searched = [name for name, parameter in study.parameters.items() if parameter.searched]
    if not searched:
        return {}
    different: list[dict[str, Value]] = []
    for shares in _sequence(study.seed, len(searched)):
        values = draw(study.parameters, _AtShares(dict(zip(searched, shares, strict=True))))
        chosen = {name: value for name, value in values.items() if name in searched}
        if chosen not in different:
            different.append(chosen)
        if len(different) > index:
            break
    return different[index % len(different)]


@functools.lru_cache(maxsize=4)
def _sequence(seed: int, dimensions: int) -> list[list[float]]:
    """Points of the unit cube; any first 4, 8 or 16 of them lie evenly in every direction."""
    engine = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng([seed, dimensions]))
    points: list[list[float]] = engine.random(POINTS).tolist()
    return points


class _AtShares:
    """Draws each parameter at a given share of its range."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        share = self._shares[name]
        if log:
            low, high = math.log(low), math.log(high)
        value = low + share * (high - low)
        return math.exp(value) if log else value

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        value = self.suggest_float(name, low - 0.5, high + 0.5, log=log)
        return min(max(round(value), low), high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return choices[min(int(self._shares[name] * len(choices)), len(choices) - 1)]
