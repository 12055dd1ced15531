"""Tables: the front with its picks, and the study that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import axes, wording
from gnap_search.results import Point
from gnap_search.runs import Run

WIDEST = 1_000  # characters that a table may measure
SPARED = ("bytes", "weights", "MACs")  # columns that go first where there is no room for all
BUDGETS = (1_000, 10_000, 100_000, 1_000_000)  # parameters at which the best point is marked


def picks(front: Front, budget: Budget = Budget()) -> dict[str, list[str]]:
    """Point id -> why one might pick it: the knee, the best at a round size, the pick under a budget."""
    marks: dict[str, list[str]] = {}
    if not front.points:
        return marks
    if budget != Budget():
        marks.setdefault(front.within(budget).id, []).append("your pick")
    marks.setdefault(front.knee().id, []).append("knee")
    smallest, largest = front.points[0].parameters, front.points[-1].parameters
    for size in BUDGETS:
        if smallest <= size < largest:
            best = front.within(Budget(max_parameters=size))
            marks.setdefault(best.id, []).append(f"best to {axes.tick_label(size)}")
    marks.setdefault(front.best.id, []).append("best")
    return marks


class FrontTable:
    """The front of a study, from the smallest point to the largest, without the columns that find no room.

    Raises:
        UserError: the front is empty, or none of its points meets the budget.
    """

    def __init__(self, run: Run, budget: Budget = Budget()) -> None:
        front = run.front()
        if not front.points:
            raise UserError(f"The front of {run.name} is empty: no epoch is finished that meets its limits.")
        self._several = len(run.study.methods) > 1
        self._kinds = _kinds(run, front)
        self._title = f"{run.name}: hypervolume {front.hypervolume():.4f}"
        marks, tested = picks(front, budget), run.test_accuracies
        self._rows = [
            {
                **_numbers(point, tested, run),
                "pick": ", ".join(marks.get(point.id, ())),
                **({"method": run.method(point.trial)} if self._several else {}),
            }
            for point in front.points
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for count in range(len(SPARED) + 1):
            table = self._without(SPARED[:count])
            if Measurement.get(console, options.update(max_width=WIDEST), table).minimum <= options.max_width:
                break
        yield table

    def _without(self, spared: Sequence[str]) -> Table:
        kind = "" if self._several else f", {self._kinds.partition(':')[0]}"
        table = Table(title=self._title + kind, title_justify="left", caption_justify="left", box=None)
        headings = [heading for heading in self._rows[0] if heading not in spared]
        for heading in headings:
            number = heading not in ("pick", "method")
            longest = max(len(row[heading]) for row in self._rows)
            table.add_column(
                heading,
                justify="right" if number else "left",
                no_wrap=heading != "pick",
                min_width=None if heading == "pick" else max(longest, len(heading)),
            )
        for row in self._rows:
            table.add_row(*(row[heading] for heading in headings))
        if self._several:
            table.caption = self._kinds
        return table


def _kinds(run: Run, front: Front) -> str:
    """Which methods of a front leave which kind of sparsity."""
    kinds: dict[str, set[str]] = {}
    for point in front.points:
        kinds.setdefault(run.sparsity(point.trial), set()).add(run.method(point.trial))
    return "; ".join(f"{kind}: {', '.join(sorted(methods))}" for kind, methods in sorted(kinds.items()))


def _numbers(point: Point, tested: Mapping[str, float], run: Run) -> dict[str, str]:
    """Heading -> what stands below it."""
    model = run.model(point)
    return {
        "id": point.id,
        "test": wording.accuracy(tested.get(point.id)),
        "validation": wording.accuracy(point.validation_accuracy),
        "parameters": wording.count(point.parameters),
        "weights": wording.count(point.weights),
        "MACs": wording.count(point.macs),
        "bytes": wording.count(model.stat().st_size) if model.is_file() else "-",
    }
