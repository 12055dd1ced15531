"""Lives: what became of each trial, epoch by epoch, as plain columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gnap_search.front import Budget
from gnap_search.results import Point
from gnap_search.status import Status

ROUNDED: dict[str, Callable[[Point], float]] = {
    "validation": lambda point: point.validation_accuracy,
    "validation_loss": lambda point: point.validation_loss,
    "training_loss": lambda point: point.training_loss,
}
DECIMALS = 5  # of accuracies and of losses in nats


def every(status: Status) -> list[dict[str, Any]]:
    """The life of each trial that has begun, in the order in which they were asked."""
    run = status.run
    return [_life(status, trial, list(run.history(trial))) for trial in run.trials()]


def _life(status: Status, trial: int, points: Sequence[Point]) -> dict[str, Any]:
    """Settings, ending, and a column for each number; `widths` and `phases` stand where they change."""
    run = status.run
    plan = run.plan(trial)
    epochs = plan.get("epochs", run.study.epochs)  # given trainings may have their own
    others = dict.fromkeys(cost for cost in run.study.costs if cost != "parameters")
    return {
        "trial": trial,
        "method": run.method(trial),
        "seed": plan.get("seed"),
        "settings": plan["settings"],
        "ending": _ending(status, trial, points, epochs),
        "epochs": epochs,
        "reason": status.failures.get(trial),
        "parameters": [point.parameters for point in points],
        "weights": [point.weights for point in points],
        **{cost: [getattr(point, cost) for point in points] for cost in {"macs": None, **others}},
        **{name: [_rounded(value(point)) for point in points] for name, value in ROUNDED.items()},
        "seconds": round(sum(point.seconds for point in points), 1),
        "grown": [point.epoch for point in points if point.grown],
        "phases": _changes((point.epoch, point.phase) for point in points),
        "widths": _changes((point.epoch, point.widths) for point in points),
        "infeasible": _infeasible(points, run.study.constraints.budget()),
    }


def _ending(status: Status, trial: int, points: Sequence[Point], epochs: int) -> str:
    """How a trial ended, in a word."""
    if trial in status.failures:
        return "failed"
    if points and points[-1].epoch >= epochs:
        return "finished"
    return "unfinished" if status.run.goes_on(trial) else "stopped"


def _infeasible(points: Sequence[Point], budget: Budget) -> list[int]:
    """The epochs at which a trial did not meet the study's limits."""
    return [point.epoch for point in points if not budget.admits(point)]


def _changes(values: Iterable[tuple[int, Any]]) -> list[list[Any]]:
    """Epoch and value of each that differs from the one before it."""
    changes: list[list[Any]] = []
    for epoch, value in values:
        if not changes or changes[-1][1] != value:
            changes.append([epoch, value])
    return changes


def _rounded(value: float) -> float | None:
    """A number as JSON can hold it; None for one that is not finite."""
    return round(value, DECIMALS) if math.isfinite(value) else None
