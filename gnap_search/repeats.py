"""Repeats: trainings of one method and one choice of settings with several seeds, and what they come to.

A single training's accuracy is its settings' worth and its seed's luck. The mean over seeds is nearer to the
worth, and it gains nothing from trying more of them, where the best of many trainings does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from gnap_search.confirmation import Spread

Result = Mapping[str, Any]  # what is left of a given training that has finished


@dataclasses.dataclass(frozen=True)
class Repeated:
    """Trainings that differ in nothing but their seeds, in the order of their trials."""

    method: str
    epochs: int
    settings: Mapping[str, Any]
    results: tuple[Result, ...]

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(self.results)

    def spread(self, key: str) -> Spread:
        """Mean and standard deviation over the seeds."""
        return Spread.of(self.of_each(key))

    def of_each(self, key: str) -> list[Any]:
        """The value of every training."""
        return [result[key] for result in self.results]


def repeated(results: Iterable[Result]) -> list[Repeated]:
    """The trainings by method, epochs and settings, in the order of their first trials."""
    groups: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: int(result["trial"])):
        same = [result[key] for key in ("method", "epochs", "settings")]
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(result)
    return [
        Repeated(first["method"], first["epochs"], first["settings"], (first, *others))
        for first, *others in groups.values()
    ]
