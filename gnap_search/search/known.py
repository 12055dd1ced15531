"""Known: the finished trials of another study that this one's sampler can learn from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from gnap_search import qualified, spec
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search.given import Known
from gnap_search.search.samplers import LEARNING
from gnap_search.settings import Value
from gnap_search.space import draw
from gnap_search.training.plan import defaults

SAME = ("network", "task", "epochs", "image_size", "training_images", "validation_images", "augmentation")


class Misfit(Exception):
    """Why a trial cannot be told: what follows `left out:` for it."""


def fitting(study: spec.Study, digest: str, other: Run) -> tuple[list[Known], Counter[str]]:
    """The finished trials of another study that lie in this one's space; the others, counted by reason.

    `study` has no range per image any more, and `digest` is that of its data. Settings that only one of the
    studies names count at their defaults.

    Raises:
        UserError: the studies train something else, the sampler learns from no trials, or none fits.
    """
    _refuse_other_work(study, digest, other)
    known: list[Known] = []
    misfits: Counter[str] = Counter()
    unsaid = defaults(study.method)
    for trial in other.with_folder():
        try:
            point = _last_point(other, trial, study)
            settings = _searched(study, _named(study, other, trial, unsaid), unsaid)
            known.append(Known(other.name, settings, point))
        except Misfit as problem:
            misfits[str(problem)] += 1
    if not known:
        why = told(misfits) or "it has none"
        raise UserError(
            f"No trial of {other.name} can be told to this study ({why}); leave --from-study out."
        )
    return known, misfits


def _named(study: spec.Study, other: Run, trial: int, unsaid: Mapping[str, Value]) -> dict[str, Value]:
    """All settings of another study's trial, by the names that this study has for them."""
    method = other.method(trial)
    if method not in study.methods:
        raise Misfit(f"of the method {method}")
    return {**unsaid, **qualified.known(study.method, method, other.plan(trial)["settings"])}


def told(misfits: Mapping[str, int]) -> str:
    """How many trials are left out for which reason."""
    return ", ".join(f"{count} {reason}" for reason, count in misfits.items())


def _refuse_other_work(study: spec.Study, digest: str, other: Run) -> None:
    if study.sampler not in LEARNING:
        raise UserError(
            f"The sampler {study.sampler} learns from no trials; leave --from-study out, or take --sampler "
            f"{', '.join(LEARNING[:-1])} or {LEARNING[-1]}."
        )
    if not {*study.methods} & {*other.study.methods}:
        raise UserError(
            f"--from-study {other.name} has method {other.study.method}, and this study {study.method}; "
            "only trials of equal work can be told."
        )
    for key in SAME:
        mine, theirs = getattr(study, key), getattr(other.study, key)
        if mine != theirs:
            raise UserError(
                f"--from-study {other.name} has {key} {_shown(theirs)}, and this study {_shown(mine)}; "
                "only trials of equal work can be told."
            )
    if other.data_digests != {digest}:
        raise UserError(f"--from-study {other.name} is not on the data of this study; leave it out.")


def _last_point(run: Run, trial: int, study: spec.Study) -> Point:
    points = list(run.history(trial))
    if not points or points[-1].epoch < study.epochs:
        raise Misfit("not trained to the end")
    if not math.isfinite(points[-1].validation_accuracy):
        raise Misfit("without an accuracy")
    if "training_macs" in study.for_each_trial()["costs"] and not points[-1].training_macs:
        raise Misfit("without training_macs")  # histories had none at first
    return points[-1]


def _searched(
    study: spec.Study, theirs: Mapping[str, Value], unsaid: Mapping[str, Value]
) -> dict[str, Value]:
    """What the study searches of another one's settings, all of which are given."""
    drawn = draw(study.parameters, _As(theirs))
    for name, value in {**unsaid, **drawn}.items():
        if value != theirs.get(name):
            raise Misfit(f"with {name} {theirs.get(name)} instead of {value}")
    searched = {name: value for name, value in drawn.items() if study.parameters[name].searched}
    for name, value in searched.items():
        if not study.parameters[name].admits(value):
            raise Misfit(f"with {name} outside {study.parameters[name]}")
    return searched


class _As:
    """Draws what another trial had."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        del low, high, log
        return float(self._values[name])

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        del low, high, log
        return int(self._values[name])

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        del choices
        return self._values[name]


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
