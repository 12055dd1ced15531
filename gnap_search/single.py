"""Single: one training in this process, without Ray or Optuna, in a folder from which it can go on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.threads import one_thread
from gnap_search.training.plan import Plan, check_settings
from gnap_search.training.trial import Trial


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of one training: its last point, that network's test accuracy, and the file it lies in."""

    point: Point
    test_accuracy: float
    model: Path
    front: Front


def train(plan: Plan, load: Callable[[], Data], folder: Path, device: str, listener: Listener) -> Trained:
    """Train to the end, from where the folder stands; the test split is scored once.

    Raises:
        UserError: the settings are wrong, the device is not there, or the folder holds another training.
        TrialError: the training broke down.
    """
    check_settings(plan.method, plan.settings)
    _refuse_device(device)
    _refuse_other_plan(plan, folder)
    data = load()
    with one_thread():
        with _writing(folder):
            trial = Trial(plan, data, folder, device)
        return _trained(trial, data, listener)


def _trained(trial: Trial, data: Data, listener: Listener) -> Trained:
    plan, front = trial.plan, Front(trial.points)
    listener.study_started(0, 1, 1, front)
    if trial.notice:
        listener.message(trial.notice)
    listener.trial_started(plan.trial, plan.settings, plan.epochs)
    while not trial.finished:
        with _writing(trial.folder):
            point = trial.advance()
            trial.keep()  # Ctrl-C may come at any moment, and what has been shown must be safe
        front.add(point)
        listener.epoch_ended(point, front)
    listener.trial_ended(plan.trial, None)
    with _writing(trial.folder):
        return _kept(trial, data, front)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say in a sentence that a folder cannot be written or that the disk is full."""
    try:
        yield
    except (OSError, SafetensorError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(
            f"Cannot write {folder}: {reason}; mend that, or choose another --directory."
        ) from None


def _kept(trial: Trial, data: Data, front: Front) -> Trained:
    """The last network in a file of its own, and its accuracy on the test split."""
    from gnap_search.structure import model
    from gnap_search.training import evaluate

    point, path = trial.points[-1], trial.folder / "model.safetensors"
    accuracy = evaluate.accuracy(trial.trainer.classifier, data.test, trial.trainer.device)
    notes = {
        "dataset": data.name,
        "classes": list(data.classes),
        "method": trial.plan.method,
        "point": point.id,
        "config": dict(trial.plan.settings),
        "validation_accuracy": point.validation_accuracy,
        "test_accuracy": accuracy,
    }
    model.save(trial.trainer.classifier, path, notes)
    return Trained(point, accuracy, path, front)


def _refuse_device(device: str) -> None:
    import torch

    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"Unknown device {device!r}; it should be cpu or cuda.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no CUDA device here; leave --device out to train on the processor.")


def _refuse_other_plan(plan: Plan, folder: Path) -> None:
    """A folder belongs to one plan."""
    path = folder / "plan.json"
    if not path.is_file():
        return
    try:
        kept = json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path} is damaged; choose another --directory, or delete it.") from None
    differences = _differences(kept, json.loads(plan.to_json()))
    if differences:
        told = ", ".join(f"{key} {mine}, not {theirs}" for key, (mine, theirs) in differences.items())
        raise UserError(f"{folder} holds a training with {told}; choose another --directory.")


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    kept, asked = ({**plan, **plan["settings"]} for plan in (kept, asked))
    keys = sorted((kept.keys() | asked.keys()) - {"settings"})
    return {key: (kept.get(key), asked.get(key)) for key in keys if kept.get(key) != asked.get(key)}
