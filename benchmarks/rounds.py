"""Rounds: variants measured in turn, again and again, so that a busy machine slows all of them alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

ROUNDS = 5


@dataclasses.dataclass(frozen=True)
class Figure:
    """One thing measured, a value a round, and the bound that its median should keep, if any."""

    name: str
    unit: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def kept(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return None if self.at_most is None else self.median <= self.at_most

    def asked(self, *, at_least: float | None = None, at_most: float | None = None) -> Figure:
        """The same figure with a bound."""
        return dataclasses.replace(self, at_least=at_least, at_most=at_most)

    def over(self, other: Figure, name: str) -> Figure:
        """The ratio of two figures, round by round."""
        pairs = zip(self.values, other.values, strict=True)
        return Figure(name, "x", [mine / theirs for mine, theirs in pairs])


def measured(
    variants: Mapping[str, Callable[[], float]], unit: str, rounds: int = ROUNDS
) -> dict[str, Figure]:
    """Call every variant once a round, starting with another one each time; each returns its own value."""
    names = list(variants)
    values: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(variants[name]())
    return {name: Figure(name, unit, seen) for name, seen in values.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
