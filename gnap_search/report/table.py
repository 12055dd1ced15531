"""Tables: the front with its picks, and the study that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import axes, wording
from gnap_search.results import Point
from gnap_search.runs import Run

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


def front_table(run: Run, budget: Budget = Budget()) -> Table:
    """The front of a study, from the smallest point to the largest.

    Raises:
        UserError: the front is empty, or none of its points meets the budget.
    """
    front = run.front()
    if not front.points:
        raise UserError(f"The front of {run.name} is empty: no epoch is finished that meets its limits.")
    marks, tested = picks(front, budget), run.test_accuracies
    title = f"{run.name}: hypervolume {front.hypervolume():.4f}"
    kinds = _kinds(run, front)
    several = len(run.study.methods) > 1
    table = Table(
        title=title if several else f"{title}, {kinds.partition(':')[0]}", title_justify="left", box=None
    )
    for heading in ("id", "test", "validation", "parameters", "weights", "MACs", "bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("pick")
    if several:
        table.add_column("method", no_wrap=True)
        table.caption, table.caption_justify = kinds, "left"
    for point in front.points:
        how = [run.method(point.trial)] if several else []
        table.add_row(*_row(point, tested, run), ", ".join(marks.get(point.id, ())), *how)
    return table


def _kinds(run: Run, front: Front) -> str:
    """Which methods of a front leave which kind of sparsity."""
    kinds: dict[str, set[str]] = {}
    for point in front.points:
        kinds.setdefault(run.sparsity(point.trial), set()).add(run.method(point.trial))
    return "; ".join(f"{kind}: {', '.join(sorted(methods))}" for kind, methods in sorted(kinds.items()))


def _row(point: Point, tested: Mapping[str, float], run: Run) -> Sequence[str]:
    model = run.model(point)
    return (
        point.id,
        wording.accuracy(tested.get(point.id)),
        wording.accuracy(point.validation_accuracy),
        wording.count(point.parameters),
        wording.count(point.weights),
        wording.count(point.macs),
        wording.count(model.stat().st_size) if model.is_file() else "-",
    )
