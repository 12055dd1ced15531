"""Front: the points that no other point beats in accuracy and every cost, and the picks among them.

Everything here is a pure function of points. Costs count downwards, validation accuracy upwards; of two equal
points the earlier one stays. The cost is the number of parameters, where no others are asked for.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Iterable, Sequence
from itertools import compress

from gnap_search.errors import UserError
from gnap_search.results import Point

# The box in which hypervolume is measured: from 10 to 10 million parameters, from accuracy 0 to 1.
SMALLEST, LARGEST = 1.0, 7.0
BOX = {"parameters": (SMALLEST, LARGEST), "macs": (3.0, 11.0), "training_macs": (8.0, 18.0)}  # of each cost
LEAST_ERROR = 1e-3  # smaller ones count as this much where errors are compared as logarithms
ENDLESS = 10**300  # a limit above this one limits no more, and floats do not go much further
USEFUL = 2 / 3  # of the best accuracy: networks near chance have less, also where there are two classes


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a front point must meet; None sets no limit."""

    max_parameters: int | None = None
    max_macs: int | None = None
    min_accuracy: float | None = None
    max_training_macs: int | None = None

    def violations(self, point: Point) -> tuple[float, ...]:
        """How far the point is past each limit that is set; a value above 0 means that it is not met."""
        gaps = []
        if self.max_parameters is not None:
            gaps.append(_decades_past(point.parameters, self.max_parameters))
        if self.max_macs is not None:
            gaps.append(_decades_past(point.macs, self.max_macs))
        if self.min_accuracy is not None:
            gaps.append(self.min_accuracy - point.validation_accuracy)
        if self.max_training_macs is not None:
            gaps.append(_decades_past(point.training_macs, self.max_training_macs))
        return tuple(gaps)

    def admits(self, point: Point) -> bool:
        """Whether the point meets every limit."""
        return all(gap <= 0 for gap in self.violations(point))

    def __str__(self) -> str:
        named = [
            ("at most {:,} parameters", self.max_parameters),
            ("at most {:,} MACs", self.max_macs),
            ("at most {:,} MACs of training", self.max_training_macs),
        ]
        words = [form.format(limit) for form, limit in named if limit is not None]
        if self.min_accuracy is not None:
            words.append(f"at least {100 * self.min_accuracy:g} % accuracy")
        return " and ".join(words) or "no limits"


def _decades_past(size: int, limit: int) -> float:
    """By how many powers of ten a size is above its limit."""
    return math.log10(max(size, 1) / min(limit, ENDLESS))


Costs = Sequence[str]  # fields of a point


def decades(point: Point, cost: str) -> float:
    """The logarithm of a point's cost to base 10; of an empty network 0."""
    return math.log10(max(getattr(point, cost), 1))


def dominates(one: Point, other: Point, costs: Costs = ("parameters",)) -> bool:
    """Whether `one` is no worse in accuracy and every cost, and better in at least one."""
    mine, theirs = _losses(one, costs), _losses(other, costs)
    return mine != theirs and all(my <= their for my, their in zip(mine, theirs, strict=True))


def keeps_off(one: Point, other: Point, costs: Costs) -> bool:
    """Whether because of `one` the other stands on no front, whichever of these costs that counts.

    On a front that counts some of them two points may be equal, of which the earlier one stands.
    """
    if not dominates(one, other, costs):
        return False
    if _is_earlier(one, other) or one.validation_accuracy > other.validation_accuracy:
        return True
    return all(getattr(one, cost) < getattr(other, cost) for cost in costs)


def _losses(point: Point, costs: Costs) -> tuple[float, ...]:
    """What should be small."""
    return (-point.validation_accuracy, *(getattr(point, cost) for cost in costs))


def _gives_way(standing: Point, newcomer: Point) -> bool:
    """Whether a point that is no larger leaves its place; of two equal ones the later trial or epoch does."""
    if standing.validation_accuracy != newcomer.validation_accuracy:
        return standing.validation_accuracy < newcomer.validation_accuracy
    same_size = standing.parameters == newcomer.parameters
    return same_size and (newcomer.trial, newcomer.epoch) < (standing.trial, standing.epoch)


class Front:
    """The non-dominated points that meet a budget, from the smallest to the largest."""

    def __init__(
        self, points: Iterable[Point] = (), budget: Budget = Budget(), costs: Costs = ("parameters",)
    ) -> None:
        self.budget, self.costs = budget, tuple(costs)
        self._points: list[Point] = []
        for point in points:
            self.add(point)

    @property
    def points(self) -> Sequence[Point]:
        """Sorted by parameters, and so by accuracy as well where these are the only cost."""
        return tuple(self._points)

    @property
    def best(self) -> Point:
        """The most accurate point; the smallest of several.

        Raises:
            UserError: the front is empty.
        """
        self.refuse_empty()
        return max(self._points, key=lambda point: point.validation_accuracy)

    def of(self, points: Iterable[Point]) -> Front:
        """The front of other points under the same budget and costs."""
        return Front(points, self.budget, self.costs)

    def in_parameters(self) -> Front:
        """Those of its points that no other beats in accuracy and parameters alone: what a plane can show."""
        return Front(self._points)

    def add(self, point: Point) -> tuple[bool, list[Point]]:
        """Whether the point entered the front, and the points that it pushed out."""
        if not self.budget.admits(point):
            return False, []
        if self.costs != ("parameters",):
            return self._add_among(point)
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

    def _add_among(self, point: Point) -> tuple[bool, list[Point]]:
        """The same for any costs."""
        mine = _losses(point, self.costs)
        for other in self._points:
            equal = _losses(other, self.costs) == mine
            if dominates(other, point, self.costs) or (equal and _is_earlier(other, point)):
                return False, []
        kept = [other for other in self._points if not _covers(point, other, self.costs)]
        removed = [other for other in self._points if _covers(point, other, self.costs)]
        self._points = sorted([*kept, point], key=lambda one: (one.parameters, one.validation_accuracy))
        return True, removed

    def hypervolume(self) -> float:
        """The share of the box (log10 of each cost x accuracy) that the front dominates, from 0 to 1."""
        if self.costs != ("parameters",):
            return _volume([_corner(point, self.costs) for point in self._points])
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
        from 20 %. The extent of sizes is that of the points with two thirds of the best accuracy or more, so
        that tiny networks near chance do not draw the knee to themselves.

        Raises:
            UserError: the front is empty.
        """
        self.refuse_empty()
        scores = [point.validation_accuracy for point in self._points]
        useful = [score >= USEFUL * max(scores) for score in scores]
        points = list(compress(self._points, useful))
        errors = compress(_scaled([math.log(max(1 - score, LEAST_ERROR)) for score in scores]), useful)
        sizes = [_scaled([math.log(max(getattr(point, cost), 1)) for point in points]) for cost in self.costs]
        distances = [math.hypot(*place) for place in zip(errors, *sizes, strict=True)]
        return points[distances.index(min(distances))]

    def within(self, budget: Budget) -> Point:
        """The most accurate point that meets the budget; with only an accuracy asked, the smallest one.

        Raises:
            UserError: no point meets it; the nearest one is told.
        """
        fitting = self.all_within(budget)
        if budget.min_accuracy is not None and budget == Budget(min_accuracy=budget.min_accuracy):
            return fitting[0]
        return max(fitting, key=lambda point: point.validation_accuracy)

    def all_within(self, budget: Budget) -> list[Point]:
        """The points that meet the budget, from the smallest to the largest; at least one.

        Raises:
            UserError: no point meets it; the nearest one is told.
        """
        self.refuse_empty()
        fitting = [point for point in self._points if budget.admits(point)]
        if not fitting:
            nearest = min(self._points, key=lambda point: max(0.0, *budget.violations(point)))
            training = "" if budget.max_training_macs is None else f", {nearest.training_macs:,} of training"
            raise UserError(
                f"No point of the front has {budget}; the nearest is {nearest.id} with "
                f"{nearest.parameters:,} parameters, {nearest.macs:,} MACs{training} and "
                f"{nearest.validation_accuracy:.2%} validation accuracy."
            )
        return fitting

    def within_one_standard_error(self, images: int) -> Point:
        """The smallest point whose accuracy is within one standard error of the best, on `images` images.

        The error is that of one right and one wrong answer more (Laplace's rule), so that all right has one.
        """
        self.refuse_empty()
        best = self.best.validation_accuracy
        expected = (best * images + 1) / (images + 2)
        error = math.sqrt(expected * (1 - expected) / images)
        return next(point for point in self._points if point.validation_accuracy >= best - error)

    def find(self, point_id: str) -> Point:
        """The front's point of that id.

        Raises:
            UserError: there is none; the front's ids are told.
        """
        self.refuse_empty()
        for point in self._points:
            if point.id == point_id:
                return point
        ids = ", ".join(point.id for point in self._points)
        raise UserError(f"No point {point_id!r} on the front; its points are {ids}.")

    def refuse_empty(self) -> None:
        """See that there is a point.

        Raises:
            UserError: there is none.
        """
        if not self._points:
            limits = "" if self.budget == Budget() else f" with {self.budget}"
            raise UserError(
                f"The front is empty: there is no finished epoch{limits} yet; "
                "run the study further with `gnap-search resume`."
            )


def _covers(one: Point, other: Point, costs: Costs) -> bool:
    """Whether `one` takes the place of another: it dominates it, or equals it."""
    return dominates(one, other, costs) or _losses(one, costs) == _losses(other, costs)


def _is_earlier(one: Point, other: Point) -> bool:
    return (one.trial, one.epoch) <= (other.trial, other.epoch)


def _corner(point: Point, costs: Costs) -> tuple[float, ...]:
    """How far a point reaches into the box along each cost and in accuracy, from 0 to 1."""
    reach = [point.validation_accuracy]
    for cost in costs:
        low, high = BOX[cost]
        reach.append(min(max((high - decades(point, cost)) / (high - low), 0.0), 1.0))
    return tuple(reach)


def _volume(corners: Sequence[tuple[float, ...]]) -> float:
    """The volume of the union of boxes from the origin to each corner, slice by slice."""
    if not corners:
        return 0.0
    if len(corners[0]) == 1:
        return max(corner[0] for corner in corners)
    volume, deepest = 0.0, sorted(corners, key=lambda corner: -corner[-1])
    for place, corner in enumerate(deepest):
        below = deepest[place + 1][-1] if place + 1 < len(deepest) else 0.0
        if corner[-1] > below:
            volume += (corner[-1] - below) * _volume([one[:-1] for one in deepest[: place + 1]])
    return volume


def _scaled(values: Sequence[float]) -> list[float]:
    """The values from 0 for the least to 1 for the greatest."""
    least, extent = min(values), max(values) - min(values)
    return [(value - least) / extent if extent else 0.0 for value in values]
