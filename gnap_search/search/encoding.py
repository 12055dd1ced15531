"""Encoding: a search space as a cube, in which settings are proposed and their outcomes modelled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnap_search.settings import Value
from gnap_search.space import Parameter, Parameters, draw


class Encoding:
    """The searched settings of a space, in their order.

    `shares` are numbers from 0 to 1, one a setting: where in its range it lies, or which of its choices it
    is. `features` are what a model learns from: the share for a range, a number for each choice.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.searched = {name: one for name, one in parameters.items() if one.searched}

    def settings(self, shares: Sequence[float]) -> dict[str, Value]:
        """The configuration at these shares, fixed settings included; conditions leave settings out."""
        return draw(self._parameters, _AtShares(dict(zip(self.searched, shares, strict=True))))

    def features(self, settings: Mapping[str, Any]) -> np.ndarray:
        """A configuration as a model takes it; a range that it leaves out is in the middle."""
        told: list[float] = []
        for name, parameter in self.searched.items():
            value = settings.get(name)
            if parameter.choices:
                told += [float(value == choice) for choice in parameter.choices]
            else:
                told.append(share(parameter, value))
        return np.array(told, dtype=float)


def share(parameter: Parameter, value: Any) -> float:
    """Where in its range a value lies, from 0 to 1; None is in the middle."""
    if value is None:
        return 0.5
    assert parameter.low is not None and parameter.high is not None  # it is searched, and not by choices
    low, high, at = float(parameter.low), float(parameter.high), float(value)
    if parameter.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low) if high > low else 0.5


class _AtShares:
    """Draws each parameter at a given share of its range."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        share = self._shares[name]
        if log:
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        return min(max(value, low), high)  # rounding may lead out of the range

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        value = self.suggest_float(name, low - 0.5, high + 0.5, log=log)
        return min(max(round(value), low), high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return choices[min(int(self._shares[name] * len(choices)), len(choices) - 1)]
