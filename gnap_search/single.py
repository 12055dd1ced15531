"""Single: one training in this process, without Ray or Optuna, in a folder from which it can go on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from gnap_search import chance
from gnap_search.contracts import Data, Listener
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.threads import one_thread
from gnap_search.training import loop, standalone
from gnap_search.training.plan import Plan, check_settings
from gnap_search.training.trial import Trial

OTHERWISE = "choose another --directory"


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
        UserError: the settings are wrong, the device is not there, the folder holds another training, or
            another process trains in it.
        TrialError: the training broke down.
    """
    check_settings(plan.method, plan.settings)
    standalone.refuse_device(device)
    standalone.refuse_other_plan(plan, folder)
    data = load()
    with one_thread(), loop.sole(folder, OTHERWISE):
        with _writing(folder):
            trial = Trial(plan, data, folder, device)
        return _trained(trial, data, listener)


def _trained(trial: Trial, data: Data, listener: Listener) -> Trained:
    plan, front = trial.plan, Front(trial.points)
    listener.study_started(0, 1, 1, front)
    for told in filter(None, (data.note, trial.notice)):
        listener.message(told)
    listener.trial_started(plan.trial, plan.settings, plan.epochs)
    for point in standalone.epochs(trial, OTHERWISE):
        front.add(point)
        listener.epoch_ended(point, front)
    listener.trial_ended(plan.trial, None)
    if warning := chance.unlearnt(front, data):
        listener.message(warning)
    with _writing(trial.folder):
        return _kept(trial, data, front)


def _writing(folder: Path) -> contextlib.AbstractContextManager[None]:
    return standalone.writing(folder, OTHERWISE)


def _kept(trial: Trial, data: Data, front: Front) -> Trained:
    path, accuracy = standalone.keep_last(trial, data)
    return Trained(trial.points[-1], accuracy, path, front)
