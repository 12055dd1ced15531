"""Plot: the front as a picture for a paper."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnap_search.confirmation import Confirmed
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import axes as axis
from gnap_search.report import wording
from gnap_search.results import Point
from gnap_search.runs import Run

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
COLUMN = (3.5, 2.6)  # inches: one column of a two-column paper
BLUE, ORANGE, GREEN, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#7F7F7F",
)  # Okabe and Ito's colour-blind safe ones
MANY = 2_000  # points, above which a vector format has them as a picture: a viewer must not draw each
STYLE: Any = {  # matplotlib has a type for every key
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.borderpad": 0.1,
    "legend.columnspacing": 1.2,
    "pdf.fonttype": 42,  # text stays text, which journals ask for
    "svg.fonttype": "none",
    "svg.hashsalt": "gnap-search",  # the same front is the same file
}
UNDATED: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def save(run: Run, path: Path) -> None:
    """Draw a study's front and all of its points into a PNG, SVG or PDF file.

    Raises:
        UserError: the front is empty, the file's ending is another one, or it cannot be written.
    """
    refuse_other_endings(path)
    front = run.front().in_parameters()
    front.refuse_empty()  # before matplotlib is imported
    with sheet(path, COLUMN) as figure:
        draw(figure, run, front)


def refuse_other_endings(path: Path) -> None:
    """See that a file's ending is that of a format which can be drawn.

    Raises:
        UserError: it is not.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"A plot ends in {', '.join(FORMATS)}, and {path} does not.")


@contextlib.contextmanager
def sheet(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure in the style of papers, `size` in inches, that is written to the file when it is drawn.

    Raises:
        UserError: the file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        try:
            figure.savefig(path, dpi=300, metadata=UNDATED.get(path.suffix.lower()))
        except OSError as problem:
            raise UserError(f"Cannot write {path}: {problem.strerror or problem}.") from None


def draw(figure: Figure, run: Run, front: Front) -> None:
    """Every point faintly, the front as steps with its markers, and all else that is known of it.

    Points of the front that are structured are squares.
    """
    tested, confirmed = run.test_accuracies, run.confirmed
    limits = with_room_for_tests(axis.around(front.points), front.points, tested)
    plane = figure.subplots()
    frame(plane, limits)
    named = _cloud(plane, list(run.points()), run.study.constraints.budget())
    named["front, validation"] = front_steps(
        plane, front.points, limits, color=BLUE, linewidth=1.1, marker="o", markersize=2.8
    )
    structured = [point for point in front.points if run.sparsity(point.trial) == "structured"]
    if structured:
        named["structured"] = plane.scatter(*places(structured), s=16, marker="s", color=BLUE, linewidths=0)
    if tested:
        named["front, test"] = _test_scores(plane, front.points, tested)
    if standing := [confirmed[point.id] for point in front.points if point.id in confirmed]:
        named["fresh seeds"] = _means(plane, standing)
    _mark_knee(plane, front.knee())
    figure.legend(
        list(named.values()),
        list(named),
        loc="outside upper center",
        ncols=min(3, len(named)),
        handlelength=1.5,
    )


def _cloud(plane: Axes, points: Sequence[Point], budget: Budget) -> dict[str, Any]:
    """Every epoch: dots for those that meet the limits, crosses for the others."""
    style: Any = {"color": GREY, "alpha": 0.35, "rasterized": len(points) > MANY}
    sizes, scores = places([point for point in points if budget.admits(point)])
    named = {"every epoch": plane.scatter(sizes, scores, s=3, linewidths=0, **style)}
    sizes, scores = places([point for point in points if not budget.admits(point)])
    if sizes:
        crosses = plane.scatter(sizes, scores, s=5, marker="x", linewidths=0.5, **style)
        named["outside limits"] = crosses
    return named


def _means(plane: Axes, confirmed: Sequence[Confirmed]) -> Any:
    """What fresh seeds gave: mean validation accuracies at mean sizes, with standard deviations."""
    sizes = [max(1.0, one.spread("parameters").mean) for one in confirmed]
    spreads = [one.spread("validation_accuracy") for one in confirmed]
    scores = [100 * one.mean for one in spreads]
    deviations = [100 * (one.deviation or 0.0) for one in spreads]
    return plane.errorbar(sizes, scores, deviations, fmt="_", color=GREEN, markersize=5, elinewidth=0.8)


def front_steps(plane: Axes, front: Sequence[Point], limits: axis.Axes, **style: Any) -> Artist:
    """A front as steps that go on to the right edge, with a marker at each of its points."""
    sizes, scores = places(front)
    (steps,) = plane.step(
        [*sizes, 10**limits.right],
        [*scores, scores[-1]],
        where="post",
        markevery=slice(0, len(sizes)),
        **style,
    )
    return steps


def with_room_for_tests(limits: axis.Axes, front: Sequence[Point], tested: Mapping[str, float]) -> axis.Axes:
    """The axes, lowered and raised to hold the test accuracies of the points that they show."""
    shown = [point.id for point in front if point.validation_accuracy >= limits.bottom]
    scores = [tested[name] for name in shown if name in tested]
    margin = 0.03 * (limits.top - limits.bottom)
    bottom = min([limits.bottom, *(score - margin for score in scores)])
    top = max([limits.top, *(score + margin for score in scores)])
    return dataclasses.replace(limits, bottom=max(0.0, bottom), top=min(1.0, top))


def frame(plane: Axes, limits: axis.Axes) -> None:
    """Limits, labels and a faint grid."""
    plane.set_xscale("log")
    plane.set_xlim(10**limits.left, 10**limits.right)
    room = 0.015 * (limits.top - limits.bottom)  # for half a marker at 100 %
    plane.set_ylim(100 * limits.bottom, 100 * (limits.top + room))
    plane.grid(visible=True, linewidth=0.4, color="#E4E4E4")
    plane.set_axisbelow(True)
    plane.set_xlabel("parameters (non-zero)")
    plane.set_ylabel("accuracy (%)")
    _ticks(plane, limits)


def _ticks(plane: Axes, limits: axis.Axes) -> None:
    """The same round numbers as in the terminal's plot."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    plane.xaxis.set_major_locator(FixedLocator(axis.size_ticks(limits)))
    plane.xaxis.set_major_formatter(FuncFormatter(lambda size, _position: axis.tick_label(round(size))))
    plane.xaxis.set_minor_formatter(NullFormatter())


def places(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    """Where points lie: their parameters, and their validation accuracies in per cent."""
    sizes = [max(1, point.parameters) for point in points]
    return sizes, [100 * point.validation_accuracy for point in points]


def _test_scores(plane: Axes, front: Sequence[Point], tested: Mapping[str, float]) -> Artist:
    """A diamond at the test accuracy of every point that has one."""
    scored = [point for point in front if point.id in tested]
    sizes, _ = places(scored)
    scores = [100 * tested[point.id] for point in scored]
    return plane.scatter(sizes, scores, s=9, marker="D", facecolors="none", edgecolors=ORANGE, linewidths=0.8)


def _mark_knee(plane: Axes, knee: Point) -> None:
    """A ring around the knee and its size beside it."""
    place = (max(1, knee.parameters), 100 * knee.validation_accuracy)
    plane.plot(*place, marker="o", markersize=7, markerfacecolor="none", color=BLUE, markeredgewidth=0.9)
    plane.annotate(
        f"knee: {wording.count(knee.parameters)}",
        place,
        xytext=(5, -9),
        textcoords="offset points",
        fontsize=7,
        color=BLUE,
        bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.6, "linewidth": 0},
    )
