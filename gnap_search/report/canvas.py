"""Canvas: the front as steps of braille dots, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gnap_search.front import decades
from gnap_search.report import axes as axis
from gnap_search.report.axes import Axes
from gnap_search.results import Point

BLANK = 0x2800  # the braille pattern without a dot
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of one character, by column and row
LABEL = 8  # characters for an accuracy and the axis


class Canvas:
    """Dots on a grid of characters, two across and four down in each."""

    def __init__(self, columns: int, rows: int) -> None:
        self.width, self.height = 2 * columns, 4 * rows
        self._cells = [[0] * columns for _ in range(rows)]

    def dot(self, across: int, down: int) -> None:
        """Set one dot; one that lies outside is left out."""
        if 0 <= across < self.width and 0 <= down < self.height:
            self._cells[down // 4][across // 2] |= DOTS[across % 2][down % 4]

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """A horizontal or a vertical line of dots, both ends included."""
        for across in range(min(start[0], end[0]), max(start[0], end[0]) + 1):
            for down in range(min(start[1], end[1]), max(start[1], end[1]) + 1):
                self.dot(across, down)

    def lines(self) -> list[str]:
        """The rows of characters."""
        return ["".join(chr(BLANK + cell) for cell in row) for row in self._cells]


def draw(front: Sequence[Point], columns: int = 78, rows: int = 9) -> str:
    """The front as steps over log10(parameters), with its axes, in so many characters altogether."""
    if not front:
        return ""
    axes = axis.around(front)
    canvas = Canvas(columns - LABEL, rows - 2)
    places = [_place(point, axes, canvas) for point in front if point.validation_accuracy >= axes.bottom]
    for (across, down), (onward, up) in zip(places, [*places[1:], (canvas.width, 0)], strict=True):
        canvas.line((across, down), (onward, down))
        if onward < canvas.width:
            canvas.line((onward, down), (onward, up))
    for across, down in places:
        for beside in (-1, 0, 1):
            canvas.line((across + beside, down - 1), (across + beside, down + 1))
    return "\n".join([*_with_accuracies(canvas, axes), *_size_axis(canvas, axes)])


def _place(point: Point, axes: Axes, canvas: Canvas) -> tuple[int, int]:
    size = decades(point, "parameters")
    across = (size - axes.left) / (axes.right - axes.left) * (canvas.width - 1)
    down = (axes.top - point.validation_accuracy) / (axes.top - axes.bottom) * (canvas.height - 1)
    return round(across), round(down)


def _with_accuracies(canvas: Canvas, axes: Axes) -> list[str]:
    """The canvas with an accuracy at those of its rows that a round one falls into."""
    labels: dict[int, str] = {}
    for tick in axis.accuracy_ticks(axes, most=4):
        down = round((axes.top - tick) / (axes.top - axes.bottom) * (canvas.height - 1))
        labels[down // 4] = f"{tick:.1%}".rjust(LABEL - 2)
    rows = []
    for row, cells in enumerate(canvas.lines()):
        edge = "┤" if row in labels else "│"
        rows.append(f"{labels.get(row, ' ' * (LABEL - 2))} {edge}{cells}")
    return rows


def _size_axis(canvas: Canvas, axes: Axes) -> list[str]:
    """The axis of parameters and its labels."""
    columns = canvas.width // 2
    line, labels = ["─"] * columns, [" "] * (columns + LABEL)
    for tick in axis.size_ticks(axes):
        column = round((math.log10(tick) - axes.left) / (axes.right - axes.left) * (columns - 1))
        text = axis.tick_label(tick)
        start = min(column + LABEL - len(text) // 2, len(labels) - len(text))
        line[column] = "┴"
        if "".join(labels[start - 1 : start + len(text) + 1]).strip() == "":
            labels[start : start + len(text)] = text
    title = "parameters"
    if "".join(labels[-len(title) - 1 :]).strip() == "":
        labels[-len(title) :] = title
    return [" " * (LABEL - 1) + "└" + "".join(line), "".join(labels).rstrip()]
