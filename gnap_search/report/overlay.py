"""Overlay: the fronts of several studies in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnap_search.comparison import Comparison, Contender
from gnap_search.report import axes as axis
from gnap_search.report import plot

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.5, 2.9  # inches: one column of a two-column paper, with room for a legend
LEGEND_ROW = 0.14  # inches that each of its rows adds
COLOURS = (  # Okabe and Ito's colour-blind safe palette, the most distinct first
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#000000"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # one more than colours, so that pairs repeat late
LINES = ("-", "--", ":")  # of the first, second and third front in one colour


def save(comparison: Comparison, path: Path) -> None:
    """Draw the fronts of all studies that have one into a PNG, SVG or PDF file.

    Raises:
        UserError: the file's ending is another one, or it cannot be written.
    """
    plot.refuse_other_endings(path)
    height = HEIGHT + LEGEND_ROW * len(comparison.contenders)
    with plot.sheet(path, (WIDTH, height)) as figure:
        draw(figure, comparison)


def draw(figure: Figure, comparison: Comparison) -> None:
    """Each front as steps in its own colour and marker; hollow markers are test accuracies."""
    limits = _around(comparison)
    plane = figure.subplots()
    plot.frame(plane, limits)
    named: dict[str, Artist] = {}
    for place, contender in enumerate(comparison.contenders):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        line = LINES[place // len(COLOURS) % len(LINES)]
        if contender.front.points:
            style = {"color": colour, "ls": line, "linewidth": 1.0, "marker": marker, "markersize": 3.2}
            steps = plot.front_steps(plane, contender.front.points, limits, **style)
            named[_title(comparison, contender)] = steps
            _test_scores(plane, contender, colour, marker)
    tested = any(contender.tested for contender in comparison.contenders)
    title = "filled: validation, hollow: test" if tested else None
    figure.legend(
        list(named.values()), list(named), loc="outside upper center", title=title, title_fontsize=7
    )


def _around(comparison: Comparison) -> axis.Axes:
    """Axes that hold what is worth seeing of every front, and the test accuracies that belong to it."""
    fronts = [contender for contender in comparison.contenders if contender.front.points]
    each = [
        plot.with_room_for_tests(axis.around(one.front.points), one.front.points, one.tested)
        for one in fronts
    ]
    return axis.Axes(
        left=min(limits.left for limits in each),
        right=max(limits.right for limits in each),
        bottom=min(limits.bottom for limits in each),
        top=max(limits.top for limits in each),
    )


def _title(comparison: Comparison, contender: Contender) -> str:
    """A study in the legend, with its hypervolume and the ratio to the first."""
    ratio = comparison.ratio(contender)
    behind = "" if ratio is None or contender is comparison.contenders[0] else f", ratio {ratio:.3f}"
    return f"{contender.name}: hypervolume {contender.front.hypervolume():.4f}{behind}"


def _test_scores(plane: Axes, contender: Contender, colour: str, marker: str) -> None:
    """Hollow markers at the test accuracies of the points that have one."""
    scored = [point for point in contender.front.points if point.id in contender.tested]
    sizes, _ = plot.places(scored)
    scores = [100 * contender.tested[point.id] for point in scored]
    plane.scatter(sizes, scores, s=9, marker=marker, facecolors="none", edgecolors=colour, linewidths=0.6)
