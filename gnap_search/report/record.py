"""Record: a front, or a comparison of fronts, as JSON and CSV, which other programs read."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnap_search import files, streams
from gnap_search.comparison import Comparison
from gnap_search.confirmation import OF_A_REPEAT
from gnap_search.errors import UserError
from gnap_search.runs import Run

STANDARD_OUTPUT = Path("-")
HOW = ("method", "sparsity")  # columns of those records that have them
COLUMNS = (
    "id",
    "trial",
    "epoch",
    "parameters",
    "weights",
    "macs",
    "live_macs",
    "training_macs",
    "validation_accuracy",
    "test_accuracy",
)


def as_json(run: Run) -> str:
    """The record of `Run.front_record`."""
    return json.dumps(run.front_record(), indent=2) + "\n"


def as_csv(run: Run) -> str:
    """The points of `Run.front_record` as a table."""
    return points_as_csv(run.front_record()["points"])


def points_as_csv(points: Sequence[Mapping[str, Any]]) -> str:
    """A line a point, from the smallest to the largest; a column for every setting that any of them has.

    What points were confirmed with has its columns where any of them was.
    """
    settings = sorted({name for point in points for name in point["config"]})
    confirmed = list(dict.fromkeys(name for point in points for name in _confirmed(point)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [*COLUMNS, *(column for column in HOW if all(column in point for point in points))]
    writer.writerow([*columns, *confirmed, *settings])
    for point in points:
        told = _confirmed(point)
        values = [*(point[column] for column in columns), *(told.get(name, "") for name in confirmed)]
        writer.writerow([*values, *(point["config"].get(name, "") for name in settings)])
    return text.getvalue()


def _confirmed(point: Mapping[str, Any]) -> dict[str, Any]:
    """Column -> what a point was confirmed with: the number of seeds, means and standard deviations."""
    told = point["confirmed"]
    if told is None:
        return {}
    columns: dict[str, Any] = {"confirmed_seeds": len(told["seeds"])}
    for key in OF_A_REPEAT:
        columns[f"confirmed_{key}"] = told[key]["mean"]
        columns[f"confirmed_{key}_deviation"] = told[key]["standard_deviation"]
    return columns


def comparison_as_json(comparison: Comparison) -> str:
    """The record of `Comparison.record`."""
    return json.dumps(comparison.record(), indent=2) + "\n"


def comparison_as_csv(comparison: Comparison) -> str:
    """A line a point of each front, study by study, and whether it stands on the common front."""
    record = comparison.record()
    standing = {(point["study"], point["id"]) for point in record["common_front"]}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["study", *COLUMNS, "on_common_front"])
    for study in record["studies"]:
        for point in study["points"]:
            values = ["" if point[column] is None else point[column] for column in COLUMNS]
            writer.writerow([study["study"], *values, int((study["study"], point["id"]) in standing)])
    return text.getvalue()


def write(text: str, path: Path) -> None:
    """Write text to a file, or to standard output where the path is `-`.

    Raises:
        UserError: it cannot be written.
    """
    if path == STANDARD_OUTPUT:
        streams.write(text)
        return
    data = text.encode(errors="surrogateescape")  # a file's name that is not UTF-8 keeps its bytes
    try:
        _replace(Path(os.path.realpath(path)), data)  # a link goes on leading there
    except OSError as problem:
        raise UserError(f"Cannot write {path}: {problem.strerror}.") from None


def _replace(path: Path, data: bytes) -> None:
    """Put a whole new file in an old one's place, or leave the old one; fill what is a pipe or a device."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
    else:
        files.replace(path, data)
