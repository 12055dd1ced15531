"""Confirmed: what fresh seeds said of a front, beside what the search had said."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from gnap_search.confirmation import Spread
from gnap_search.report import wording
from gnap_search.report.fitting import Column, Fitted
from gnap_search.results import Point
from gnap_search.runs import Run

# Columns in the order in which they go where there is no room for all.
SPARED = ("seeds", "mean parameters", "validation", "parameters")


def points(run: Run) -> list[Point]:
    """The front's points that fresh seeds have said something of, from the smallest to the largest."""
    confirmed = run.confirmed
    return [point for point in run.front().points if point.id in confirmed]


def table(run: Run) -> Fitted:
    """Each figure of these points as it was searched, and to its right the mean over fresh seeds."""
    found, tested, confirmed = points(run), run.test_accuracies, run.confirmed
    again = [confirmed[point.id] for point in found]

    def means(key: str) -> list[str]:
        return [wording.percentages(one.spread(key)) for one in again]

    columns = [
        Column("id", [point.id for point in found]),
        Column("seeds", [wording.count(len(one.seeds)) for one in again]),
        Column("test", [_searched(tested.get(point.id)) for point in found]),
        Column("again", means("test_accuracy")),
        Column("validation", [_searched(point.validation_accuracy) for point in found]),
        Column("again", means("validation_accuracy"), group="validation"),
        Column("parameters", [wording.count(point.parameters) for point in found]),
        Column("again", [wording.counts(one.spread("parameters")) for one in again], group="mean parameters"),
    ]
    title = "as searched, and again with fresh seeds; accuracies in %"
    return Fitted(columns, SPARED, title=title, title_justify="left", pad_edge=False, collapse_padding=True)


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


def in_short(notes: Mapping[str, Any], study: str) -> str:
    """A sentence about a point of which a model file holds these notes; `study` is what finds its study."""
    if "refit" in notes:
        return _refit_in_short(notes)
    searched = wording.accuracy(notes["validation_accuracy"])
    begin = f"point {notes['point']} of {notes['study']}: {searched} validation when it was searched"
    told = notes["confirmed"]
    if told is None:
        again = f"gnap-search confirm {study} --point {notes['point']}"
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


def _searched(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.2f}"
