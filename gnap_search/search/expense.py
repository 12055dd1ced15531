"""Expense: what a training with given settings will cost, learned from those that have run.

Between a network of hundreds of parameters and one of millions the cost of a training varies by orders of
magnitude, and mostly with its settings. The logarithm of the cost is taken to be linear in them, each scaled
to its range. It is fitted by ridge regression (Hoerl and Kennard, Technometrics 1970), which keeps near to
what is expected until trainings say otherwise: a range may say at which end trainings are cheap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gnap_search.search.encoding import Encoding
from gnap_search.space import Parameters

RIDGE = 0.1  # of the squares of coefficients, in decades over a parameter's whole range
EXPECTED = 1.0  # decades between the cheap end of a range and the other one, where there is a cheap end


class Expense:
    """Predicts the cost of settings from a search space; costs may have any unit."""

    def __init__(self, parameters: Parameters, known: Iterable[tuple[Mapping[str, Any], float]]) -> None:
        """`known` are settings and what trainings with them cost, all above 0."""
        self._encoding = Encoding(parameters)
        self._slopes = np.array(
            [slope for one in self._encoding.searched.values() for slope in _expected(one.cheap, one.choices)]
        )
        self._mean = 0.0
        self._middle = np.zeros_like(self._slopes)
        pairs = list(known)
        if pairs and self._slopes.size:
            self._fit(
                np.array([self._encoding.features(settings) for settings, _ in pairs]),
                np.array([math.log10(cost) for _, cost in pairs]),
            )

    def __call__(self, settings: Mapping[str, Any]) -> float:
        """Predicted log10 of the cost; while nothing is known, up to an unknown constant."""
        return self._mean + float((self._encoding.features(settings) - self._middle) @ self._slopes)

    def _fit(self, inputs: np.ndarray, costs: np.ndarray) -> None:
        self._mean, self._middle = float(costs.mean()), inputs.mean(0)
        centred = inputs - self._middle
        surprise = costs - self._mean - centred @ self._slopes
        squares = centred.T @ centred + RIDGE * np.eye(inputs.shape[1])
        self._slopes = self._slopes + np.linalg.solve(squares, centred.T @ surprise)


def _expected(cheap: str | None, choices: tuple[Any, ...]) -> list[float]:
    """The slope of a range, or one for each choice, before anything is known."""
    if choices:
        return [0.0 for _ in choices]
    return [0.0 if cheap is None else EXPECTED if cheap == "low" else -EXPECTED]
