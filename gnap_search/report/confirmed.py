"""Confirmed: what fresh seeds said of a front, beside what the search had said."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from gnap_search.confirmation import Confirmed, Spread
from gnap_search.report import wording
from gnap_search.results import Point
from gnap_search.runs import Run


def points(run: Run) -> list[Point]:
    """The front's points that fresh seeds have said something of, from the smallest to the largest."""
    confirmed = run.confirmed
    return [point for point in run.front().points if point.id in confirmed]


def table(run: Run) -> Table:
    """Each figure of these points as it was searched, and to its right the mean over fresh seeds."""
    title = "as searched, and again with fresh seeds; accuracies in %"
    found = Table(title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=True)
    for heading in ("id", "seeds", "test", "again", "validation", "again", "parameters"):
        found.add_column(heading, justify="right", no_wrap=True)
    found.add_column("again", justify="right")
    tested, confirmed = run.test_accuracies, run.confirmed
    for point in points(run):
        found.add_row(*_row(point, tested.get(point.id), confirmed[point.id]))
    return found


def conclusion(run: Run, failures: Sequence[str], next_step: str) -> Text:
    """How far the searched accuracies lie from their means, which trainings failed, and what to do next."""
    confirmed, tested = run.confirmed, run.test_accuracies
    searched = {
        "validation": {point.id: point.validation_accuracy for point in points(run)},
        "test": {point.id: tested[point.id] for point in points(run) if point.id in tested},
    }
    lines = [""]
    for name, accuracies in searched.items():
        means = [confirmed[point].spread(f"{name}_accuracy").mean for point in accuracies]
        if means:
            gap = statistics.fmean(accuracies.values()) - statistics.fmean(means)
            side = "above" if gap >= 0 else "below"
            lines.append(
                f"searched {name} accuracies lie {100 * abs(gap):.2f} percentage points {side} "
                f"those of fresh seeds, on average over {wording.plural(len(means), 'point')}"
            )
    return Text("\n".join([*lines, *failures, next_step]))


def in_short(notes: Mapping[str, Any]) -> str:
    """A sentence about a point of which a model file holds these notes."""
    if "refit" in notes:
        return _refit_in_short(notes)
    searched = wording.accuracy(notes["validation_accuracy"])
    begin = f"point {notes['point']} of {notes['study']}: {searched} validation when it was searched"
    told = notes["confirmed"]
    if told is None:
        again = f"gnap-search confirm {notes['study']} --point {notes['point']}"
        return f"{begin}; not confirmed with fresh seeds yet: {again}"
    validation, test = (
        wording.percentages(Spread(told[key]["mean"], told[key]["standard_deviation"])) + " %"
        for key in ("validation_accuracy", "test_accuracy")
    )
    seeds = wording.plural(len(told["seeds"]), "fresh seed")
    return f"{begin}; confirmed with {seeds}: {validation} validation, {test} test"


def _refit_in_short(notes: Mapping[str, Any]) -> str:
    """The same, where its configuration was trained once more on the validation images too."""
    told, searched = notes["refit"], notes["refit"]["searched"]
    tested, validated = searched["test_accuracy"], wording.accuracy(searched["validation_accuracy"])
    scored = "" if tested is None else f"{wording.accuracy(tested)} test, "
    return (
        f"point {notes['point']} of {notes['study']}, trained once more on {told['images']:,} images, those "
        f"to choose by among them: {wording.accuracy(notes['test_accuracy'])} test, {_count(told)}; when it "
        f"was searched: {scored}{validated} validation, {_count(searched)}"
    )


def _count(told: Mapping[str, Any]) -> str:
    return wording.plural(told["parameters"], "parameter")


def _row(point: Point, test_accuracy: float | None, confirmed: Confirmed) -> Sequence[str]:
    return (
        point.id,
        wording.count(len(confirmed.seeds)),
        "-" if test_accuracy is None else f"{100 * test_accuracy:.2f}",
        wording.percentages(confirmed.spread("test_accuracy")),
        f"{100 * point.validation_accuracy:.2f}",
        wording.percentages(confirmed.spread("validation_accuracy")),
        wording.count(point.parameters),
        wording.counts(confirmed.spread("parameters")),
    )
