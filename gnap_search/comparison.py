"""Comparison: the fronts of several studies on one data set, side by side.

Reading the studies needs neither torch nor Ray nor Optuna. Hypervolumes are comparable because every front's
is measured in the same box (`gnap_search.front`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self

from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.runs import Run, sparsity

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)  # parameters


@dataclasses.dataclass(frozen=True, eq=False)
class Contender:
    """One study in a comparison; equal to nothing but itself.

    `tested` has the test accuracy of the points that were scored, by their ids. `trials` counts those that
    have finished an epoch, `epochs` all that they have finished, and `seconds` what these took, one after
    another.
    """

    name: str
    method: str
    sparsity: str
    network: str
    front: Front
    tested: Mapping[str, float]
    trials: int
    epochs: int
    seconds: float

    @classmethod
    def of(cls, run: Run) -> Self:
        """The study of a run as it stands."""
        points = list(run.points())
        return cls(
            name=run.name,
            method=run.study.method,
            sparsity=" and ".join(sorted({sparsity(method) for method in run.study.methods})),
            network=run.study.network,
            front=Front(points, run.study.constraints.budget()),
            tested=run.test_accuracies,
            trials=len({point.trial for point in points}),
            epochs=len(points),
            seconds=sum(point.seconds for point in points),
        )

    def best_within(self, parameters: int) -> Point | None:
        """The point of the best validation accuracy with at most so many parameters."""
        fitting = [point for point in self.front.points if point.parameters <= parameters]
        return fitting[-1] if fitting else None

    def told(self, point: Point) -> dict[str, Any]:
        """What a record of its front says of a point."""
        return point.told(self.tested.get(point.id))


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Neighbouring points of the common front that one study holds, from the smallest to the largest."""

    holder: Contender
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Studies on one data set, in the order in which they were named.

    `dataset` says as well which size and number of images they chose, if they did.
    """

    dataset: str
    contenders: tuple[Contender, ...]

    @property
    def sizes(self) -> list[int]:
        """The round sizes at which the fronts differ: from the first that a network fits into to the first
        that all fit into.
        """
        points = [point.parameters for contender in self.contenders for point in contender.front.points]
        enclosing = next((size for size in SIZES if size >= max(points, default=0)), SIZES[-1])
        return [size for size in SIZES if min(points, default=enclosing + 1) <= size <= enclosing]

    def ratio(self, contender: Contender) -> float | None:
        """A study's hypervolume / the first one's; None where the first has none."""
        first = self.contenders[0].front.hypervolume()
        return contender.front.hypervolume() / first if first else None

    def common_front(self) -> list[tuple[Contender, Point]]:
        """What no study beats, from the smallest point to the largest; of equal points the first study's."""
        entries = [(contender, point) for contender in self.contenders for point in contender.front.points]
        entries.sort(key=lambda entry: (entry[1].parameters, -entry[1].validation_accuracy))
        reached, standing = -1.0, []
        for contender, point in entries:
            if point.validation_accuracy > reached:
                reached = point.validation_accuracy
                standing.append((contender, point))
        return standing

    def stretches(self) -> list[Stretch]:
        """The common front, cut where it passes from one study to another."""
        return [
            Stretch(holder, tuple(point for _, point in entries))
            for holder, entries in itertools.groupby(self.common_front(), key=lambda entry: entry[0])
        ]

    def record(self) -> dict[str, Any]:
        """What `gnap-search compare --json` writes; a test accuracy is null until it is scored."""
        return {
            "dataset": self.dataset,
            "studies": [self._study_record(contender) for contender in self.contenders],
            "common_front": [
                {"study": contender.name, **contender.told(point)} for contender, point in self.common_front()
            ],
        }

    def _study_record(self, contender: Contender) -> dict[str, Any]:
        best = {size: contender.best_within(size) for size in self.sizes}
        return {
            "study": contender.name,
            "method": contender.method,
            "sparsity": contender.sparsity,
            "network": contender.network,
            "hypervolume": contender.front.hypervolume(),
            "hypervolume_ratio": self.ratio(contender),
            "trials": contender.trials,
            "epochs": contender.epochs,
            "training_seconds": contender.seconds,
            "best_within": {
                str(size): None if point is None else contender.told(point) for size, point in best.items()
            },
            "points": [contender.told(point) for point in contender.front.points],
        }


def compare(runs: Sequence[Run]) -> Comparison:
    """The studies side by side; one without points stays in, with an empty front.

    Raises:
        UserError: there are fewer than two, one is named twice, their data differ, or none has a point.
    """
    _refuse_too_few([run.name for run in runs])
    _refuse_other_data(runs)
    contenders = tuple(Contender.of(run) for run in runs)
    if not any(contender.front.points for contender in contenders):
        raise UserError(
            f"None of {', '.join(run.name for run in runs)} has a point that meets its limits yet; "
            "run them further with `gnap-search resume`."
        )
    return Comparison(runs[0].study.images, contenders)


def _refuse_too_few(names: Sequence[str]) -> None:
    if len(names) < 2:
        raise UserError("A comparison wants at least two studies; `gnap-search front` shows one.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"Study {twice!r} is named twice; name each one once.")


def _refuse_other_data(runs: Sequence[Run]) -> None:
    """Accuracies on different images say nothing about each other."""
    first = runs[0]
    for other in runs[1:]:
        ours, theirs = first.study.images, other.study.images
        if theirs != ours:
            raise UserError(
                f"Study {first.name!r} is on {ours} and {other.name!r} on {theirs}; "
                "only studies on the same data can be compared."
            )
