"""Fitting: tables that leave out whole columns where a terminal has no room for all, and cut no cell."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WIDEST = 1_000  # characters that a table may measure


class Words:
    """Words, or the name of a study, a method or a folder: broken behind spaces, hyphens and slashes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts: list[str] = re.findall(r"[^-/ ]*[-/ ]|[^-/ ]+", text)

    @property
    def widths(self) -> tuple[int, int]:
        """Characters of the longest part, and of all."""
        return max((cell_len(part.rstrip()) for part in self._parts), default=0), cell_len(self._text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        lines = [""]
        for part in self._parts:
            if lines[-1] and cell_len((lines[-1] + part).rstrip()) > options.max_width:
                lines.append("")
            lines[-1] += part
        yield Text("\n".join(line.rstrip() for line in lines), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(*self.widths)


@dataclasses.dataclass(frozen=True)
class Column:
    """A heading and what stands below it: whole numbers or names, or words, which may be broken.

    Columns of one `group`, by default the heading, are left out together.
    """

    heading: str
    cells: Sequence[str]
    kind: Literal["number", "name", "words"] = "number"
    group: str = ""

    @property
    def widths(self) -> tuple[int, int]:
        """The fewest characters that cut nothing, and those that break nothing either."""
        whole = max(map(cell_len, (self.heading, *self.cells)))
        parts = [Words(cell).widths[0] for cell in self.cells] if self.kind == "words" else [whole]
        return max([cell_len(self.heading), *parts]), whole


class Fitted:
    """A table of columns; where there is no room for all, the groups in `spared` go, one after the other."""

    def __init__(self, columns: Sequence[Column], spared: Sequence[str], **style: Any) -> None:
        self._columns, self._spared, self._style = columns, spared, {"box": None, **style}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for count in range(len(self._spared) + 1):
            columns = self._without(self._spared[:count])
            narrowest = self._table(columns, [column.widths[0] for column in columns])
            taken = Measurement.get(console, options.update(max_width=WIDEST), narrowest).maximum
            if taken <= options.max_width:
                break
        yield self._table(columns, _shared_out(columns, max(0, options.max_width - taken)))

    def _without(self, spared: Sequence[str]) -> list[Column]:
        return [column for column in self._columns if (column.group or column.heading) not in spared]

    def _table(self, columns: Sequence[Column], widths: Sequence[int]) -> Table:
        table = Table(**self._style)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                column.heading,
                justify="right" if column.kind == "number" else "left",
                no_wrap=column.kind != "words",
                width=width,
            )
        shown = [map(Words if column.kind == "words" else Text, column.cells) for column in columns]
        for row in zip(*shown, strict=True):
            table.add_row(*row)
        return table


def _shared_out(columns: Sequence[Column], room: int) -> list[int]:
    """The width of each column, where so many characters are left when all have their least."""
    widths = []
    for least, whole in (column.widths for column in columns):
        widths.append(least + min(room, whole - least))
        room -= widths[-1] - least
    return widths
