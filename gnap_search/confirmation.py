"""Confirmation: what front points' configurations came to with fresh seeds, as plain values.

A search keeps the best of many noisy accuracies, so the figures of its front are too good. A point is
confirmed by training its trial's configuration again, with seeds that no trial of the study had, and by
looking at the same epoch. What that gives is the worth of the configuration; the searched figure was its
luck as well.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable
from typing import Any, Self

OF_A_REPEAT = ("validation_accuracy", "test_accuracy", "parameters", "macs")


@dataclasses.dataclass(frozen=True)
class Spread:
    """The mean of several values and the sample's standard deviation, which is None for a single one."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """That of at least one value."""
        found = [float(value) for value in values]
        return cls(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None)

    def told(self) -> dict[str, float | None]:
        """The spread as records have it."""
        return {"mean": self.mean, "standard_deviation": self.deviation}


@dataclasses.dataclass(frozen=True)
class Repeat:
    """A front point's configuration at the point's epoch, trained with another seed; accuracies in [0, 1]."""

    seed: int
    validation_accuracy: float
    test_accuracy: float
    parameters: int
    macs: int


@dataclasses.dataclass(frozen=True)
class Confirmed:
    """The repeats of one front point, at least one, in the order of their seeds."""

    repeats: tuple[Repeat, ...]

    def kept(self) -> list[dict[str, Any]]:
        """Every repeat, as a file has it."""
        return [vars(one) for one in self.repeats]

    def joined_by(self, repeat: Repeat) -> Self:
        """These repeats and one more; one with the same seed gives way."""
        others = (one for one in self.repeats if one.seed != repeat.seed)
        return type(self)(tuple(sorted((*others, repeat), key=lambda one: one.seed)))

    @property
    def seeds(self) -> list[int]:
        """The seeds, all of them different."""
        return [one.seed for one in self.repeats]

    def spread(self, key: str) -> Spread:
        """That of one of the figures over the seeds."""
        return Spread.of(getattr(one, key) for one in self.repeats)

    def told(self) -> dict[str, Any]:
        """What a record of a front says of the point's confirmation."""
        return {"seeds": self.seeds, **{key: self.spread(key).told() for key in OF_A_REPEAT}}
