"""Standalone: what a training outside of a search needs around it: a device, a folder, a last word."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.structure import model
from gnap_search.training import evaluate
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial


def refuse_device(device: str) -> None:
    """See that there is such a device; no number picks one, because steps are recorded on the current GPU.

    Raises:
        UserError: there is not.
    """
    if device not in ("cpu", "cuda"):
        raise UserError(
            f"Unknown device {device!r}: it should be cpu or cuda; CUDA_VISIBLE_DEVICES chooses which GPU."
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no CUDA device here; leave --device out to train on the processor.")


def refuse_other_plan(plan: Plan, folder: Path) -> None:
    """See that a folder holds no other training: it belongs to one plan.

    Raises:
        UserError: it does, or what it holds cannot be read.
    """
    path = folder / "plan.json"
    if not path.is_file():
        return
    try:
        kept = json.loads(path.read_text())
    except ValueError:
        raise UserError(f"{path} is damaged; choose another folder, or delete it.") from None
    differences = _differences(kept, json.loads(plan.to_json()))
    if differences:
        told = ", ".join(f"{key} {mine}, not {theirs}" for key, (mine, theirs) in differences.items())
        raise UserError(f"{folder} holds a training with {told}; choose another folder.")


@contextlib.contextmanager
def writing(folder: Path, otherwise: str) -> Iterator[None]:
    """Say in a sentence that a folder cannot be written or the disk is full, and what else may be done."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads has enough
    except (OSError, SafetensorError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(f"Cannot write {folder}: {reason}; mend that, or {otherwise}.") from None


def epochs(trial: Trial, otherwise: str) -> Iterator[Point]:
    """Train to the end, from where the folder stands; each epoch's point, once it is safe.

    Ctrl-C may come at any moment, and what has been shown must be there again.
    """
    while not trial.finished:
        with writing(trial.folder, otherwise):
            point = trial.advance()
            trial.keep()
        yield point


def keep_last(trial: Trial, data: Data) -> tuple[Path, float]:
    """Write a finished trial's last network to a file of its own, and score it on the test images.

    Returns:
        The file, and the test accuracy from 0 to 1.
    """
    point, path = trial.points[-1], trial.folder / "model.safetensors"
    trainer = trial.trainer
    accuracy = evaluate.accuracy(trainer.classifier, data.test, trainer.task, trainer.device)
    notes = {
        "dataset": data.name,
        "classes": list(data.classes),
        "held_out": data.held_out,
        "method": trial.plan.method,
        "point": point.id,
        "config": dict(trial.plan.settings),
        "validation_accuracy": point.validation_accuracy,
        "test_accuracy": accuracy,
    }
    model.save(trainer.classifier, path, notes)
    return path, accuracy


def _differences(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    kept, asked = ({**plan, **plan["settings"]} for plan in (kept, asked))
    keys = sorted((kept.keys() | asked.keys()) - {"settings"})
    return {key: (kept.get(key), asked.get(key)) for key in keys if kept.get(key) != asked.get(key)}
