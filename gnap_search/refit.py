"""Refit: a front point's training once more, on the validation images too: they have served to choose it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gnap_search import catalog, datasets, spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.structure import model
from gnap_search.structure.model import Classifier
from gnap_search.threads import one_thread
from gnap_search.training import loop, schedule, standalone
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

OTHERWISE = "leave --refit out"


class Refitted(NamedTuple):
    """A network, the data that it was trained on, what its files say of it, and how it came to be."""

    classifier: Classifier
    data: Data
    notes: dict[str, Any]
    history: dict[str, Any]


def refit(run: Run, points: Sequence[Point], data: Data, limits: Budget, listener: Listener) -> Refitted:
    """Train what a front point was trained with once more, on the validation images of `data` too.

    Seed, settings and batch size are those of the point's trial, but for what is asked for per image, as the
    price of a gate: there are more of them now. One validation image a class stays apart, so that somebody
    can watch. The network is that of the point's epoch, or of the first one after it that is within the
    limits on parameters and multiply-accumulates; where none is, that of the next of `points` is taken. What
    was trained stays in the run's folder: a refit that was broken off goes on, and none is repeated.

    Raises:
        UserError: no validation image can be spared, no network is within the limits, or the run's folder
            cannot be written.
        TrialError: the training broke down.
    """
    more, size = datasets.with_validation_trained_on(data), _on_size(limits)
    listener.message(
        f"trained on {len(more.train):,} images now, all for validation but {len(more.validation):,} among "
        "them; if it is broken off, the same command goes on"
    )
    for searched in _of_each_trial(points):
        folder = run.folder / "refits" / searched.id
        with one_thread(), loop.sole(folder, OTHERWISE), standalone.writing(folder, OTHERWISE):
            plan = _plan(run, searched, data, more)
            trial = Trial(plan, more, folder, _device(run), kept=range(searched.epoch, plan.epochs + 1))
            point = _trained(trial, searched, size, run.front(), listener)
        if point is not None:
            return _refitted(run, searched, point, folder, more)
        last = trial.points[-1]
        listener.message(
            f"point {searched.id} is past {size} when it is trained on more images: in the end it has "
            f"{last.parameters:,} parameters and {last.macs:,} MACs"
        )
    raise UserError(
        f"Nothing that was searched has {size} when it is trained on the validation images too; allow more, "
        f"or {OTHERWISE}."
    )


def _of_each_trial(points: Iterable[Point]) -> Iterable[Point]:
    """The first point of each trial: all points of one come from the same training."""
    first: dict[int, Point] = {}
    for point in points:
        first.setdefault(point.trial, point)
    return first.values()


def _plan(run: Run, searched: Point, data: Data, more: Data) -> Plan:
    """What is trained: what the point's trial did, on other images."""
    plan = Plan.of(run.plan(searched.trial))
    share = len(data.train) / len(more.train)
    chosen = plan.settings.keys() & _per_image(plan.method)
    per_image = {name: float(plan.settings[name]) * share for name in sorted(chosen)}
    batch_size = schedule.batch_size(int(plan.settings.get("batch_size", 0)), len(data.train))
    settings = {**plan.settings, **per_image, "batch_size": batch_size}
    return dataclasses.replace(plan, settings=settings, validation_images=len(more.validation))


def _per_image(method: str) -> set[str]:
    """The settings that a method's search space divides by the number of training images."""
    if method not in catalog.names("search_spaces"):
        return set()
    return {name for name, asked in spec.load_space(method).parameters.items() if asked.per_image}


def _device(run: Run) -> str:
    return "cuda" if run.launch.gpus_per_trial and torch.cuda.is_available() else "cpu"


def _on_size(limits: Budget) -> Budget:
    """The limits that hold for a refit as well: it has no validation accuracy, and may take longer."""
    return dataclasses.replace(limits, min_accuracy=None, max_training_macs=None)


def _trained(trial: Trial, searched: Point, limits: Budget, front: Front, listener: Listener) -> Point | None:
    """The point whose network is wanted, trained until there is one; None where there is none to the end."""
    listener.study_started(0, 1, 1, front)
    if trial.notice:
        listener.message(trial.notice)
    listener.trial_started(searched.trial, trial.plan.settings, searched.epoch)
    while (found := _wanted(trial, searched.epoch, limits)) is None and not trial.finished:
        point = trial.advance()
        trial.keep()  # Ctrl-C may come at any moment
        listener.epoch_ended(point, front)
    listener.trial_ended(searched.trial, None)
    return found


def _wanted(trial: Trial, epoch: int, limits: Budget) -> Point | None:
    """The first point from an epoch on that is within the limits."""
    return next((point for point in trial.points[epoch - 1 :] if limits.admits(point)), None)


def _refitted(run: Run, searched: Point, point: Point, folder: Path, data: Data) -> Refitted:
    classifier, notes = model.load(folder / "models" / f"{point.epoch}.safetensors")
    told = {
        "study": run.name,
        "point": searched.id,
        "validation_accuracy": None,
        "test_accuracy": None,
        "confirmed": None,
        "refit": {
            "images": len(data.train),
            "parameters": point.parameters,
            "searched": searched.told(run.test_accuracies.get(searched.id)),
        },
    }
    return Refitted(classifier, data, {**notes, **told}, {**run.history(searched), "epochs": point.epoch})
