"""Tables: the front with its picks, and the study that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from gnap_search.front import Budget, Front
from gnap_search.report import axes, wording
from gnap_search.report.fitting import Column, Fitted
from gnap_search.results import Point
from gnap_search.runs import Run

# Columns in the order in which they go where there is no room for all.
SPARED = ("bytes", "weights", "MACs", "validation", "method", "test", "parameters")
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


class FrontTable(Fitted):
    """The front of a study, from the smallest point to the largest, without the columns that find no room.

    Raises:
        UserError: the front is empty, or none of its points meets the budget.
    """

    def __init__(self, run: Run, budget: Budget = Budget()) -> None:
        front = run.front()
        front.refuse_empty()
        marks, tested, several = picks(front, budget), run.test_accuracies, len(run.study.methods) > 1
        rows = [_numbers(point, tested, run) for point in front.points]
        columns = [Column(heading, [row[heading] for row in rows]) for heading in rows[0]]
        columns.append(
            Column("pick", [", ".join(marks.get(point.id, ())) for point in front.points], "words")
        )
        if several:
            columns.append(Column("method", [run.method(point.trial) for point in front.points], "name"))
        kinds, title = _kinds(run, front), f"{run.name}: hypervolume {front.hypervolume():.4f}"
        super().__init__(
            columns,
            SPARED if any(point.id in tested for point in front.points) else ("test", *SPARED),
            title=title if several else f"{title}, {kinds.partition(':')[0]}",
            caption=kinds if several else None,
            title_justify="left",
            caption_justify="left",
        )


def _kinds(run: Run, front: Front) -> str:
    """Which methods of a front leave which kind of sparsity."""
    kinds: dict[str, set[str]] = {}
    for point in front.points:
        kinds.setdefault(run.sparsity(point.trial), set()).add(run.method(point.trial))
    return "; ".join(f"{kind}: {', '.join(sorted(methods))}" for kind, methods in sorted(kinds.items()))


def _numbers(point: Point, tested: Mapping[str, float], run: Run) -> dict[str, str]:
    """Heading -> what stands below it."""
    model, trained = run.model(point), "training_macs" in run.study.costs
    return {
        "id": point.id,
        "test": wording.accuracy(tested.get(point.id)),
        "validation": wording.accuracy(point.validation_accuracy),
        "parameters": wording.count(point.parameters),
        "weights": wording.count(point.weights),
        "MACs": wording.count(point.macs),
        **({"training MACs": wording.rounded(point.training_macs)} if trained else {}),
        "bytes": wording.count(model.stat().st_size) if model.is_file() else "-",
    }
