"""Progress: how a study's front came about: its hypervolume against what had been spent."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from gnap_search.front import Front
from gnap_search.results import Point


def steps(points: Iterable[Point], front: Front, started: Mapping[int, float]) -> dict[str, list[Any]]:
    """A column for each measure of cost, and the hypervolume that was reached at it: a row whenever it rose.

    `front` is an empty one, which takes in the points. `started` has the second at which a trial began; where
    that is not known, trials are taken to have run one after another. `seconds` sum up what epochs took, on
    however many workers, and `macs` what one image costs in each of them. The first row is nothing at no
    cost, and the last row is the end.
    """
    spent = {"seconds": 0.0, "macs": 0, "epochs": 0}
    rows: list[dict[str, Any]] = [{**spent, "hypervolume": 0.0, "point": None}]
    for point in _in_time(points, started):
        spent = {
            "seconds": spent["seconds"] + point.seconds,
            "macs": spent["macs"] + point.macs,
            "epochs": spent["epochs"] + 1,
        }
        entered, _ = front.add(point)
        if entered:
            rows.append({**spent, "hypervolume": front.hypervolume(), "point": point.id})
    rows.append({**spent, "hypervolume": front.hypervolume(), "point": None})
    return {
        "seconds": [round(row["seconds"], 1) for row in rows],
        "macs": [row["macs"] for row in rows],
        "epochs": [row["epochs"] for row in rows],
        "hypervolume": [round(row["hypervolume"], 6) for row in rows],
        "point": [row["point"] for row in rows],
    }


def _in_time(points: Iterable[Point], started: Mapping[int, float]) -> list[Point]:
    """The points in the order in which their epochs ended."""
    ended: list[tuple[float, int, Point]] = []
    for trial, epochs in itertools.groupby(points, key=lambda point: point.trial):
        before = started.get(trial, ended[-1][0] if ended else 0.0)
        for point in epochs:
            before += point.seconds
            ended.append((before, len(ended), point))
    return [point for _, _, point in sorted(ended, key=lambda entry: entry[:2])]
