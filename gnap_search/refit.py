"""Refit: a front point's training once more, on the validation images too: they have served to choose it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gnap_search import datasets, spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.results import Point, network
from gnap_search.runs import Run
from gnap_search.structure import model
from gnap_search.structure.model import Classifier
from gnap_search.threads import one_thread
from gnap_search.training import loop, schedule, standalone
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

OTHERWISE = "leave --refit out"
ALIKE = 0.9  # of the parameters, from which on a network is about as large


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
    can watch, and nobody chooses by it: the network is that of the point's epoch, or of the first one after
    it that is within the limits on parameters and multiply-accumulates, as it has become by the last epoch at
    which it is about as large. Where none is within the limits, the next of `points` is taken. What was
    trained stays in the run's folder: a refit that was broken off goes on, and none is repeated.

    Raises:
        UserError: no validation image can be spared, no network is within the limits, or the run's folder
            cannot be written.
        TrialError: the training broke down.
    """
    more, size, front = datasets.with_validation_trained_on(data), _on_size(limits), run.front()
    listener.message(
        f"trained on {len(more.train):,} images now, all for validation but {len(more.validation):,} among "
        "them; if it is broken off, the same command goes on"
    )
    for searched in _of_each_trial(points):
        folder = run.folder / "refits" / searched.id
        with one_thread(), loop.sole(folder, OTHERWISE):
            plan = _plan(run, searched, data, more)
            with standalone.writing(folder, OTHERWISE):
                trial = Trial(plan, more, folder, _device(run), kept=range(searched.epoch, plan.epochs + 1))
            _train(trial, front, listener)
            _drop_needless(trial)
        point = _wanted(trial.points[searched.epoch - 1 :], size)
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
    plan = schedule.in_batches_as_on(len(data.train), plan)
    settings = {**plan.settings, **per_image}
    return dataclasses.replace(plan, settings=settings, validation_images=len(more.validation))


def _per_image(method: str) -> set[str]:
    """The settings that a method's search space divides by the number of training images."""
    return {name for name, asked in spec.namesake(method).items() if asked.per_image}


def _device(run: Run) -> str:
    return "cuda" if run.launch.gpus_per_trial and torch.cuda.is_available() else "cpu"


def _on_size(limits: Budget) -> Budget:
    """The limits that hold for a refit as well: it has no validation accuracy, and may take longer."""
    return dataclasses.replace(limits, min_accuracy=None, max_training_macs=None)


def _train(trial: Trial, front: Front, listener: Listener) -> None:
    """Train to the end, from where the folder stands."""
    listener.study_started(0, 1, 1, front)
    if trial.notice:
        listener.message(trial.notice)
    listener.trial_started(trial.plan.trial, trial.plan.settings, trial.plan.epochs)
    for point in standalone.epochs(trial, OTHERWISE):
        listener.epoch_ended(point, front)
    listener.trial_ended(trial.plan.trial, None)


def _drop_needless(trial: Trial) -> None:
    """Delete the networks that are followed by one of their size, which is wanted in their place."""
    later: dict[int, int] = {}  # parameters -> the fewest MACs of a later network with so many
    for point in reversed(trial.points):
        fewest = later.get(point.parameters)
        if fewest is not None and fewest <= point.macs:
            network(trial.folder, point.epoch).unlink(missing_ok=True)
        later[point.parameters] = point.macs if fewest is None else min(fewest, point.macs)


def _wanted(points: Iterable[Point], limits: Budget) -> Point | None:
    """Of what a network was from some epoch on, the last point about as large as the first within the limits.

    The search took an epoch for its accuracy on images that are trained on now. Without them the later one of
    two networks of a size is the better guess: it has learnt for longer, in shorter steps.
    """
    within = [point for point in points if limits.admits(point)]
    alike = [point for point in within if point.parameters >= ALIKE * within[0].parameters]
    return alike[-1] if alike else None


def _refitted(run: Run, searched: Point, point: Point, folder: Path, data: Data) -> Refitted:
    classifier, notes = model.load(network(folder, point.epoch))
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
    return Refitted(classifier, data, {**notes, **told}, {**run.provenance(searched), "epochs": point.epoch})
