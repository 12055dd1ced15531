"""Dossier: all that the report tells of studies, as plain values."""

from __future__ import annotations

import datetime
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import gnap_search
from gnap_search import qualified, spec
from gnap_search.comparison import Effort
from gnap_search.confirmation import Confirmed
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import axes, lives, plot, progress, repetition, table, wording
from gnap_search.results import Point
from gnap_search.runs import Run, sparsity
from gnap_search.status import Status
from gnap_search.structure import anatomy, model
from gnap_search.training.plan import declared

MOST_IMAGES = 10**5  # on which an accuracy may have been measured
CELLS = 40  # rows and columns of a layer's picture at most
SHADES = 9  # of a cell, above the empty one


def of(
    statuses: Sequence[Status], budget: Budget = Budget(), tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """What the page of these studies holds; `budget` is for the pick of whoever asks.

    `tell` hears which networks it is without, because they cannot be read.

    Raises:
        UserError: a study's front is empty, none of its points meets the budget, or another file is damaged.
    """
    now = datetime.datetime.now(datetime.UTC)
    return {
        "title": ", ".join(status.run.name for status in statuses),
        "version": gnap_search.__version__,
        "written": f"{now:%Y-%m-%d %H:%M} UTC",
        "studies": [_study(status, budget, tell) for status in statuses],
    }


def _study(status: Status, budget: Budget, tell: Callable[[str], None]) -> dict[str, Any]:
    run, points = status.run, list(status.run.points())
    front = run.front()
    front.refuse_empty()
    plane = front.in_parameters().points
    limits = plot.with_room_for_tests(axes.around(plane), plane, run.test_accuracies)
    trials = lives.every(status)
    methods = sorted({trial["method"] for trial in trials})
    return {
        "name": run.name,
        "state": status.state if run.searched else None,
        "about": _about(run),
        "methods": {name: sparsity(name) for name in methods},
        "epochs": run.study.epochs,
        "costs": run.study.costs,
        "limits": "" if run.study.constraints.budget() == Budget() else str(run.study.constraints.budget()),
        "axes": vars(limits),
        "settings": _settings(run, trials, methods),
        "trials": trials,
        "front": _front(run, front, points, budget),
        "hypervolume": front.hypervolume(),
        "progress": progress.steps(points, front.of(()), status.started),
        "importances": status.importances,
        "networks": dict(_networks(run, front.points, tell)),
        "facts": {"cost": _cost(status, trials), "environment": _environment(run)},
        "command": _command(run),
        "file": repetition.whole_study(run) if run.searched else None,
    }


def _about(run: Run) -> str:
    study = run.study
    asked = f"{study.method} with {study.network} on {study.images}"
    length = f"{wording.plural(study.trials, 'trial')} of {wording.plural(study.epochs, 'epoch')}"
    return f"{asked}; {length}" + (f", sampled by {study.sampler}" if run.searched else "")


def _settings(run: Run, trials: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Every setting in which trials differ, those that are searched first."""
    parameters = {qualified.plain(name): one for name, one in run.study.parameters.items() if one.searched}
    names = dict.fromkeys([*parameters, *(name for trial in trials for name in trial["settings"])])
    fields = {name: field for method in methods for name, field in declared(method).items()}
    told = []
    for name in names:
        values = [trial["settings"].get(name) for trial in trials]
        parameter = parameters.get(name)
        if len(set(values)) > 1:
            about = fields[name].metadata["about"] if name in fields else ""
            logarithmic = parameter.log if parameter else False
            told.append({"name": name, "about": about, "log": logarithmic})
    return told


def _front(run: Run, front: Front, points: Sequence[Point], budget: Budget) -> list[dict[str, Any]]:
    """The front's points with what the tables say of them."""
    marks, tested, confirmed = table.picks(front, budget), run.test_accuracies, run.confirmed
    plane = {point.id for point in front.in_parameters().points}
    images = _images(points)
    if images:
        marks.setdefault(front.within_one_standard_error(images).id, []).append("one standard error")
    return [
        {
            "id": point.id,
            "trial": point.trial,
            "epoch": point.epoch,
            "plane": point.id in plane,
            "test": tested.get(point.id),
            "confirmed": _confirmed(confirmed.get(point.id)),
            "bytes": run.model(point).stat().st_size if run.model(point).is_file() else None,
            "picks": marks.get(point.id, []),
        }
        for point in front.points
    ]


def _confirmed(repeats: Confirmed | None) -> dict[str, Any] | None:
    return repeats.told() if repeats else None


def _images(points: Sequence[Point]) -> int | None:
    """How many validation images there are; None where accuracies do not tell.

    Each accuracy is a whole number of images over that number. So it is the least common denominator of all
    of them, unless each of the whole numbers has a factor in common with it.
    """
    finite = {point.validation_accuracy for point in points if math.isfinite(point.validation_accuracy)}
    images = math.lcm(*(Fraction(accuracy).limit_denominator(MOST_IMAGES).denominator for accuracy in finite))
    return images if 1 < images <= MOST_IMAGES else None


def _networks(
    run: Run, points: Sequence[Point], tell: Callable[[str], None]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The networks that are there and can be read, by the ids of their points."""
    for point in points:
        if run.model(point).is_file():
            try:
                yield point.id, _network(run, point)
            except UserError as problem:
                tell(f"the page is without the network of {point.id}: {problem}")


def _network(run: Run, point: Point) -> list[dict[str, Any]]:
    """The layers of a point's network, each with a picture of its live weights."""
    classifier, _ = model.load(run.model(point))
    return [
        {
            "name": layer.name.removesuffix(".linear"),
            "kind": _kind(layer),
            "inputs": layer.inputs,
            "outputs": layer.outputs,
            "weights": layer.weights,
            "live": layer.live,
            "picture": _picture(layer),
        }
        for layer in anatomy.layers(classifier)
    ]


def _kind(layer: anatomy.Layer) -> str:
    if layer.kernel is None:
        return "fully connected"
    return "x".join(map(str, layer.kernel)) + (" depth-wise" if layer.depthwise else " convolution")


def _picture(layer: anatomy.Layer) -> list[str]:
    """A row of digits for each output, one digit an input: from 0, nothing is alive, to 9, everything is.

    A layer with more than `CELLS` of either is told in blocks of several; one that is depth-wise lies down.
    """
    import numpy as np

    shares = layer.density.T if layer.depthwise else layer.density
    for axis in (0, 1):
        groups = min(CELLS, shares.shape[axis])
        blocks = np.array_split(shares, groups, axis=axis)
        shares = np.stack([block.mean(axis) for block in blocks], axis)
    return ["".join(str(math.ceil(SHADES * share - 1e-9)) for share in row) for row in shares.tolist()]


def _cost(status: Status, trials: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the study has spent, and what it did not have to."""
    run = status.run
    effort = Effort.of(list(run.points()))
    ended = ("complete", status.complete), ("stopped early", status.stopped), ("failed", len(status.failures))
    unspent = sum(run.study.epochs - len(one["parameters"]) for one in trials if one["ending"] == "stopped")
    facts = {
        "trials": ", ".join(f"{number} {word}" for word, number in ended if number or word == "complete"),
        "epochs": wording.count(effort.epochs),
        "training time": f"{wording.duration(effort.seconds)}, summed over all trials",
        "multiply-accumulates": f"{wording.rounded(sum(sum(one['macs']) for one in trials))} an image",
    }
    if not run.searched:
        facts["trials"] = f"{len(trials)}, given one by one"
    if unspent:
        facts["saved"] = f"{wording.plural(unspent, 'epoch')} of trials that were stopped early"
    if run.launch.gpus_per_trial:
        hours = effort.seconds * run.launch.gpus_per_trial / 3600
        facts["GPU hours"] = f"{hours:.2f}"
    return facts


def _environment(run: Run) -> dict[str, str]:
    """On what it ran."""
    told = run.environment or (run.results[0] if run.results else {})
    machine, versions = told.get("machine", {}), told.get("versions", {})
    facts = {
        "created": told.get("created"),
        "processor": machine.get("processor") or told.get("processor"),
        "processors": machine.get("processors") or told.get("processors"),
        "platform": machine.get("platform"),
        "python": told.get("python"),
        "libraries": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "data": told.get("data_digest"),
        "seed": run.study.seed,
    }
    return {name: str(fact) for name, fact in facts.items() if fact not in (None, "")}


def _command(run: Run) -> str:
    """What begins the study once more: as it was written, or else from its own file."""
    if not run.searched:
        return repetition.command("trials.toml", run)
    _, *words = [spec.without_password(word) for word in run.environment.get("command", [])] or [""]
    if words[:1] == ["pareto"]:
        return shlex.join(["gnap-search", *words])
    return shlex.join(["gnap-search", "pareto", "--from", "study.toml", "--study", run.name])
