"""Comparison: the fronts of several studies on one data set, or of one study's methods, side by side.

Reading the studies needs neither torch nor Ray nor Optuna. Hypervolumes are comparable because every front's
is measured in the same box (`gnap_search.front`).
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from gnap_search.confirmation import Spread
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.reference import Reference
from gnap_search.repeats import repeated
from gnap_search.results import Point
from gnap_search.runs import Run, sparsity

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)  # parameters
OF_A_POINT = ("validation_accuracy", "parameters", "weights", "macs", "live_macs", "training_macs")
UNSAID = ("weights", "macs", "live_macs", "training_macs")  # of a point: 0 where a record does not say it


@dataclasses.dataclass(frozen=True)
class Mean:
    """What one choice of settings came to over its seeds, of which there are at least two.

    `point` has the means, whole numbers rounded; what it says besides is the first training's.
    """

    method: str
    point: Point
    test: Spread
    seeds: int


@dataclasses.dataclass(frozen=True)
class Effort:
    """What points took: epochs, seconds one after another, and the multiply-accumulates of all steps."""

    epochs: int
    seconds: float
    training_macs: int

    @classmethod
    def of(cls, points: Sequence[Point]) -> Self:
        """That of all points of some trials, each trial's in the order of its epochs."""
        spent = {point.trial: point.training_macs for point in points}  # a trial's last point has it all
        return cls(len(points), sum(point.seconds for point in points), sum(spent.values()))


@dataclasses.dataclass(frozen=True, eq=False)
class Contender:
    """One study, or one method of a study, in a comparison; equal to nothing but itself.

    `tested` has the test accuracy of the points that were scored, by their ids. `trials` counts those that
    have finished an epoch; what they took, `effort`, a published front does not say. `means` is empty where
    single points are compared.
    """

    name: str
    method: str
    sparsity: str
    network: str
    front: Front
    tested: Mapping[str, float]
    trials: int
    effort: Effort | None = None
    means: tuple[Mean, ...] = ()

    @classmethod
    def of(cls, run: Run, *, averaged: bool = False) -> Self:
        """The study of a run as it stands."""
        points = list(run.points())
        return cls._made(run, run.name, run.study.methods, points, means(run, points) if averaged else None)

    @classmethod
    def each_method(cls, run: Run, *, averaged: bool = False) -> list[Self]:
        """What each of a study's methods came to."""
        points, method = list(run.points()), {trial: run.method(trial) for trial in run.trials()}
        every = means(run, points) if averaged else None
        return [
            cls._made(
                run,
                name,
                [name],
                [point for point in points if method[point.trial] == name],
                every and [mean for mean in every if mean.method == name],
            )
            for name in run.study.methods
        ]

    @classmethod
    def _made(
        cls,
        run: Run,
        name: str,
        methods: Sequence[str],
        points: Sequence[Point],
        averaged: Sequence[Mean] | None,
    ) -> Self:
        """One out of its points, and of its means where these are compared."""
        compared = points if averaged is None else [mean.point for mean in averaged]
        return cls(
            name=name,
            method=",".join(methods),
            sparsity=_sparsities(methods),
            network=run.study.network,
            front=Front(compared, run.study.constraints.budget()),
            tested=run.test_accuracies if averaged is None else {m.point.id: m.test.mean for m in averaged},
            trials=len({point.trial for point in points}),
            effort=Effort.of(points),
            means=tuple(averaged or ()),
        )

    @classmethod
    def published(cls, other: Reference, *, averaged: bool = False) -> Self:
        """A published front; it meets the limits that it was published for."""
        made = tuple(Mean(",".join(other.methods), *mean) for mean in other.repeated) if averaged else ()
        return cls(
            name=other.name,
            method=",".join(other.methods),
            sparsity=_sparsities(other.methods),
            network=other.network,
            front=Front([mean.point for mean in made] if averaged else other.points),
            tested={mean.point.id: mean.test.mean for mean in made} if averaged else other.tested,
            trials=other.trials,
            means=made,
        )

    def best_within(self, parameters: int) -> Point | None:
        """The point of the best validation accuracy with at most so many parameters."""
        fitting = [point for point in self.front.points if point.parameters <= parameters]
        return fitting[-1] if fitting else None

    def told(self, point: Point) -> dict[str, Any]:
        """What a record of its front says of a point; null is what nobody knows."""
        told = point.told(self.tested.get(point.id))
        return {**told, **{key: told[key] or None for key in UNSAID}}


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Neighbouring points of the common front that one study holds, from the smallest to the largest."""

    holder: Contender
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Studies on one data set in the order in which they were named, or the methods of one study.

    `dataset` says as well which size and number of images they chose, if they did. `study` names the one
    whose methods are compared. `averaged`: means over seeds are compared, not single points.
    """

    dataset: str
    contenders: tuple[Contender, ...]
    study: str | None = None
    averaged: bool = False

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
        effort, best = contender.effort, {size: contender.best_within(size) for size in self.sizes}
        return {
            "study": contender.name,
            "method": contender.method,
            "sparsity": contender.sparsity,
            "network": contender.network,
            "hypervolume": contender.front.hypervolume(),
            "hypervolume_ratio": self.ratio(contender),
            "trials": contender.trials,
            "epochs": effort and effort.epochs,
            "training_seconds": effort and effort.seconds,
            "training_macs": effort and effort.training_macs,
            "best_within": {
                str(size): None if point is None else contender.told(point) for size, point in best.items()
            },
            "points": [contender.told(point) for point in contender.front.points],
            "means": [
                {
                    **contender.told(mean.point),
                    "test_deviation": mean.test.deviation,
                    "seeds": mean.seeds,
                }
                for mean in contender.means
            ],
        }


def compare(sides: Sequence[Run | Reference], *, averaged: bool = False) -> Comparison:
    """The studies side by side, or the methods of a single one; what has no points stays in all the same.

    Args:
        sides: the studies, and fronts that somebody has published.
        averaged: compare means over seeds, not single points.

    Raises:
        UserError: there are fewer than two, one is named twice, their data differ, or none has a point, or
            where means are asked for, anything that was trained with several seeds.
    """
    refuse_incomparable(sides)
    single = sides[0] if len(sides) == 1 and isinstance(sides[0], Run) else None
    contenders = (
        Contender.each_method(single, averaged=averaged)
        if single
        else [_contender(side, averaged=averaged) for side in sides]
    )
    if averaged:
        _refuse_single_seeds(sides, contenders)
    if not any(contender.front.points for contender in contenders):
        raise UserError(
            f"None of {', '.join(side.name for side in sides)} has a point that meets its limits yet; "
            "run them further with `gnap-search resume`."
        )
    return Comparison(sides[0].images, tuple(contenders), single.name if single else None, averaged)


def refuse_incomparable(sides: Sequence[Run | Reference]) -> None:
    """See that there are studies, or methods of one, to be compared, and that they are on the same data.

    Raises:
        UserError: there are fewer than two, one is named twice, or their data differ.
    """
    _refuse_too_few(sides)
    _refuse_other_data(sides)


def _contender(side: Run | Reference, *, averaged: bool) -> Contender:
    if isinstance(side, Run):
        return Contender.of(side, averaged=averaged)
    return Contender.published(side, averaged=averaged)


def means(run: Run, points: Iterable[Point]) -> list[Mean]:
    """What a study trained with several seeds: given trainings at their ends, and confirmed front points.

    `points` are all of the study's.
    """
    if run.searched:
        return list(_confirmed_means(run))
    return list(_given_means(run, {point.trial: point for point in points}))


def _given_means(run: Run, ends: Mapping[int, Point]) -> Iterator[Mean]:
    # Whoever deletes a trial's folder leaves its result, which says less than its points did.
    for configuration in repeated(result for result in run.results if result["trial"] in ends):
        if configuration.seeds > 1:
            last = [ends[trial] for trial in configuration.of_each("trial")]
            point = _averaged(last[0], {key: [getattr(one, key) for one in last] for key in OF_A_POINT})
            test = configuration.spread("test_accuracy")
            yield Mean(configuration.method, point, test, configuration.seeds)


def _confirmed_means(run: Run) -> Iterator[Mean]:
    confirmed = run.confirmed
    for point in run.front().points:
        repeats = confirmed[point.id].repeats if point.id in confirmed else ()
        if len(repeats) > 1:
            keys = ("validation_accuracy", "parameters", "macs")
            rest = dataclasses.replace(point, weights=0, live_macs=0, training_macs=0)  # nobody counted them
            mean = _averaged(rest, {key: [getattr(one, key) for one in repeats] for key in keys})
            test = confirmed[point.id].spread("test_accuracy")
            yield Mean(run.method(point.trial), mean, test, len(repeats))


def _averaged(point: Point, values: Mapping[str, Sequence[float]]) -> Point:
    """The point with means of these fields; of whole numbers they are rounded."""
    changed: dict[str, Any] = {}
    for key, each in values.items():
        mean = statistics.fmean(each)
        changed[key] = round(mean) if isinstance(getattr(point, key), int) else mean
    return dataclasses.replace(point, **changed)


def _refuse_too_few(sides: Sequence[Run | Reference]) -> None:
    names = [side.name for side in sides]
    if len(names) < 2 and not any(isinstance(side, Run) and len(side.study.methods) > 1 for side in sides):
        raise UserError(
            "A comparison wants at least two studies, or one with several methods; "
            "`gnap-search front` shows one front."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"Study {twice!r} is named twice; name each one once.")


def _refuse_single_seeds(sides: Sequence[Run | Reference], contenders: Iterable[Contender]) -> None:
    if not any(contender.means for contender in contenders):
        raise UserError(
            f"Nothing of {', '.join(repr(side.name) for side in sides)} was trained with several seeds to "
            "its end; `gnap-search confirm` does that to a front's configurations, and `seeds` to given "
            "trainings."
        )


def _refuse_other_data(sides: Sequence[Run | Reference]) -> None:
    """Accuracies on different images say nothing about each other."""
    first = sides[0]
    for other in sides[1:]:
        same = first.data_digests and first.data_digests == other.data_digests  # wherever the images lie
        if other.images != first.images and not same:
            raise UserError(
                f"Study {first.name!r} is on {first.images} and {other.name!r} on {other.images}; "
                "only studies on the same data can be compared."
            )
    known = [(side.name, digest) for side in sides for digest in side.data_digests]
    for name, digest in known[1:]:
        if digest != known[0][1]:
            raise UserError(
                f"{known[0][0]!r} and {name!r} were trained on different images, though both say "
                f"{first.images} (digests {known[0][1][:12]} and {digest[:12]}); "
                "only studies on the same data can be compared."
            )


def _sparsities(methods: Iterable[str]) -> str:
    return " and ".join(sorted({sparsity(one) for one in methods}))
