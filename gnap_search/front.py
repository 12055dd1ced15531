"""Front: the points that no other point beats in both accuracy and size, and the picks among them.

Everything here is a pure function of points. Parameters count downwards, validation accuracy upwards; of two
equal points the earlier one stays.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Iterable, Sequence

from gnap_search.errors import UserError
from gnap_search.results import Point

# The box in which hypervolume is measured: from 10 to 10 million parameters, from accuracy 0 to 1.
SMALLEST, LARGEST = 1.0, 7.0
LEAST_ERROR = 1e-3  # smaller ones count as this much where errors are compared as logarithms


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a front point must meet; None sets no limit."""

    max_parameters: int | None = None
    max_macs: int | None = None
    min_accuracy: float | None = None

    def violations(self, point: Point) -> tuple[float, ...]:
        """How far the point is past each limit that is set; a value above 0 means that it is not met."""
        gaps = []
        if self.max_parameters is not None:
            gaps.append(math.log10(max(point.parameters, 1) / self.max_parameters))
        if self.max_macs is not None:
            gaps.append(math.log10(max(point.macs, 1) / self.max_macs))
        if self.min_accuracy is not None:
            gaps.append(self.min_accuracy - point.validation_accuracy)
        return tuple(gaps)

    def admits(self, point: Point) -> bool:
        """Whether the point meets every limit."""
        return all(gap <= 0 for gap in self.violations(point))

    def __str__(self) -> str:
        named = [("at most {:,} parameters", self.max_parameters), ("at most {:,} MACs", self.max_macs)]
        words = [form.format(limit) for form, limit in named if limit is not None]
        if self.min_accuracy is not None:
            words.append(f"at least {100 * self.min_accuracy:g} % accuracy")
        return " and ".join(words) or "no limits"


def dominates(one: Point, other: Point) -> bool:
    """Whether `one` is no worse in both objectives and better in at least one."""
    no_worse = one.parameters <= other.parameters and one.validation_accuracy >= other.validation_accuracy
    return no_worse and (
        one.parameters < other.parameters or one.validation_accuracy > other.validation_accuracy
    )


def _gives_way(standing: Point, newcomer: Point) -> bool:
    """Whether a point that is no larger leaves its place; of two equal ones the later trial or epoch does."""
    if standing.validation_accuracy != newcomer.validation_accuracy:
        return standing.validation_accuracy < newcomer.validation_accuracy
    same_size = standing.parameters == newcomer.parameters
    return same_size and (newcomer.trial, newcomer.epoch) < (standing.trial, standing.epoch)


class Front:
    """The non-dominated points that meet a budget, from the smallest to the largest."""

    def __init__(self, points: Iterable[Point] = (), budget: Budget = Budget()) -> None:
        self.budget = budget
        self._points: list[Point] = []
        for point in points:
            self.add(point)

    @property
    def points(self) -> Sequence[Point]:
        """Sorted by parameters, and so by accuracy as well."""
        return tuple(self._points)

    def add(self, point: Point) -> tuple[bool, list[Point]]:
        """Whether the point entered the front, and the points that it pushed out."""
        if not self.budget.admits(point):
            return False, []
        place = bisect.bisect_right(self._points, point.parameters, key=lambda other: other.parameters)
        if place and not _gives_way(self._points[place - 1], point):
            return False, []
        start = place
        if place and self._points[place - 1].parameters == point.parameters:
            start = place - 1
        stop = place
        for beaten in self._points[place:]:
            if beaten.validation_accuracy > point.validation_accuracy:
                break
            stop += 1
        removed = self._points[start:stop]
        self._points[start:stop] = [point]
        return True, removed

    def hypervolume(self) -> float:
        """The share of the box (log10 parameters x accuracy) that the front dominates, from 0 to 1."""
        area, reached = 0.0, 0.0
        for point in self._points:
            width = LARGEST - math.log10(max(point.parameters, 10.0**SMALLEST))
            if width > 0:
                area += width * (point.validation_accuracy - reached)
                reached = point.validation_accuracy
        return area / (LARGEST - SMALLEST)

    def knee(self) -> Point:
        """The point nearest to the ideal corner, in log size and log error scaled to the front's extent.

        Errors are taken as logarithms as sizes are, so that halving the error is worth as much from 2 % as
        from 20 %, and the poorest networks of a front do not draw its knee to themselves.

        Raises:
            UserError: the front is empty.
        """
        self._refuse_empty()
        sizes = _scaled([math.log(max(point.parameters, 1)) for point in self._points])
        errors = _scaled(
            [math.log(max(1 - point.validation_accuracy, LEAST_ERROR)) for point in self._points]
        )
        distances = [math.hypot(size, error) for size, error in zip(sizes, errors, strict=True)]
        return self._points[distances.index(min(distances))]

    def within(self, budget: Budget) -> Point:
        """The most accurate point that meets the budget; with only an accuracy asked, the smallest one.

        Raises:
            UserError: no point meets it; the nearest one is told.
        """
        fitting = self.all_within(budget)
        sized = budget.max_parameters is not None or budget.max_macs is not None
        return fitting[0] if budget.min_accuracy is not None and not sized else fitting[-1]

    def all_within(self, budget: Budget) -> list[Point]:
        """The points that meet the budget, from the smallest to the largest; at least one.

        Raises:
            UserError: no point meets it; the nearest one is told.
        """
        self._refuse_empty()
        fitting = [point for point in self._points if budget.admits(point)]
        if not fitting:
            nearest = min(self._points, key=lambda point: max(0.0, *budget.violations(point)))
            raise UserError(
                f"No point of the front has {budget}; the nearest is {nearest.id} with "
                f"{nearest.parameters:,} parameters, {nearest.macs:,} MACs and "
                f"{nearest.validation_accuracy:.2%} validation accuracy."
            )
        return fitting

    def within_one_standard_error(self, images: int) -> Point:
        """The smallest point whose accuracy is within one standard error of the best, on `images` images."""
        self._refuse_empty()
        best = self._points[-1].validation_accuracy
        error = math.sqrt(best * (1 - best) / images)
        return next(point for point in self._points if point.validation_accuracy >= best - error)

    def find(self, point_id: str) -> Point:
        """The front's point of that id.

        Raises:
            UserError: there is none; the front's ids are told.
        """
        self._refuse_empty()
        for point in self._points:
            if point.id == point_id:
                return point
        ids = ", ".join(point.id for point in self._points)
        raise UserError(f"No point {point_id!r} on the front; its points are {ids}.")

    def _refuse_empty(self) -> None:
        if not self._points:
            limits = "" if self.budget == Budget() else f" with {self.budget}"
            raise UserError(
                f"The front is empty: there is no finished epoch{limits} yet; "
                "run the study further with `gnap-search resume`."
            )


def _scaled(values: Sequence[float]) -> list[float]:
    """The values from 0 for the least to 1 for the greatest."""
    least, extent = min(values), max(values) - min(values)
    return [(value - least) / extent if extent else 0.0 for value in values]
