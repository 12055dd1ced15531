"""Configurations: a TOML file of trainings that are asked for one by one, without a search.

dataset = "cifar10"
epochs = 100
seeds = [0, 1, 2]

[settings]                  # of every trial
augmented_share = 1.0

[[trial]]                   # settings of its own; one training for each seed
pruning_strength = 1e-6

[[trial]]
pruning_strength = 3e-6
seeds = [0]

[[trial]]
method = "magnitude"        # another one than the file's, which is gnap where it does not say
density = 0.1
epochs = 150                # and so with the epochs, so that trainings may cost equally much
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnap_search import catalog, settings
from gnap_search.errors import UserError, refuse_unknown
from gnap_search.settings import Value
from gnap_search.training.plan import Plan, declared, refuse_idle

DEFAULTS = {"method": "gnap", "network": "grid-cnn", "task": "classification"}
COUNTS = ("training_images", "validation_images")
COMMON = ("dataset", *DEFAULTS, "epochs", "image_size", *COUNTS, "augmentation")
OWN = ("method", "epochs")  # of COMMON, what a [[trial]] may have for itself
APART = ("seeds", *OWN)  # what it may have besides settings
KEYS = (*COMMON, "seeds", "settings", "trial")
SIDES = range(8, 513)  # pixels to which images may be resized
LEAST_IMAGES = 2  # one for each of two classes


@dataclasses.dataclass(frozen=True)
class Configurations:
    """The trainings of one file, in its order; they share data and network."""

    plans: tuple[Plan, ...]

    def to_toml(self) -> str:
        """The trainings as a file that `read` reads back to the same ones, in the same order.

        Neighbours that differ in their seeds alone share a [[trial]].
        """
        first = self.plans[0]
        common = {key: getattr(first, key) for key in COMMON}
        trials = itertools.groupby(
            self.plans, key=lambda plan: ({key: getattr(plan, key) for key in OWN}, dict(plan.settings))
        )
        tables = [
            {
                **{key: value for key, value in own.items() if value != common[key]},
                **chosen,
                "seeds": [plan.seed for plan in members],
            }
            for (own, chosen), members in trials
        ]
        return toml(common) + "".join(f"\n[[trial]]\n{toml(table)}" for table in tables)


def read(path: Path) -> Configurations:
    """The trainings of a file: each of its trials with each of its seeds.

    Raises:
        UserError: something in it is missing, unknown or out of bounds; the file and the key are named.
    """
    try:
        return _resolved(catalog.read_toml(path))
    except UserError as problem:
        said = str(problem)
        raise UserError(said if str(path) in said else f"{path}: {said}") from None


def chosen(path: Path, methods: Sequence[str]) -> list[tuple[str, dict[str, Value]]]:
    """Method and settings of each [[trial]] of a file, those of [settings] among them.

    The method must be one of those given; the only one of them is meant where the file does not say.

    Raises:
        UserError: a method is another one, or a setting is unknown or out of bounds; it is named.
    """
    written = catalog.read_toml(path)
    try:
        refuse_unknown(written, KEYS)
        given, trials = _tables(written)
        default = written.get("method", methods[0] if len(methods) == 1 else DEFAULTS["method"])
        asked = [(trial.get("method", default), {**given, **_own(trial)}) for trial in trials]
        other = next((method for method, _ in asked if method not in methods), None)
        if other is not None:
            raise UserError(f"it is for method {other!r}, not {' or '.join(map(repr, methods))}.")
        return [(method, _checked(settings, method)) for method, settings in asked]
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from None


def toml(values: Mapping[str, Any]) -> str:
    """Names, numbers, truth values and lists of them as lines of TOML; what is None is left out."""
    # JSON's words for all of these are TOML's as well, and no library has to be installed for them.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in values.items()
        if value is not None
    )


def _resolved(written: Mapping[str, Any]) -> Configurations:
    refuse_unknown(written, KEYS)
    common = _common(written)
    given, trials = _tables(written)
    seeds = _seeds(written.get("seeds", [0]))
    plans: list[Plan] = []
    for trial in trials:
        method = _named("method", trial.get("method", common["method"]))
        epochs = _epochs(trial.get("epochs", common["epochs"]))
        for seed, chosen in _each(trial, seeds, given):
            checked = _checked(chosen, method)
            refuse_idle(common["network"], checked)
            asked = {**common, "method": method, "epochs": epochs, "settings": checked}
            plans.append(Plan(trial=len(plans), seed=seed, **asked))
    _refuse_repeated(plans)
    return Configurations(tuple(plans))


def _refuse_repeated(plans: Sequence[Plan]) -> None:
    """The same training twice would count as two seeds that agree."""
    first: dict[str, int] = {}
    for plan in plans:
        asked = json.dumps({**dataclasses.asdict(plan), "trial": None}, sort_keys=True)
        same = first.setdefault(asked, plan.trial)
        if same != plan.trial:
            raise UserError(
                f"trainings {same} and {plan.trial}, counted from 0, are the same one with seed {plan.seed}; "
                "leave out one [[trial]], or give it other seeds."
            )


def _tables(written: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The settings of all trials, and the trials."""
    given, trials = written.get("settings", {}), written.get("trial", [])
    if not isinstance(given, dict) or not _are(trials, dict) or not trials:
        raise UserError("settings should be a table, and each trial a [[trial]]; at least one is needed.")
    return given, trials


def _common(written: Mapping[str, Any]) -> dict[str, Any]:
    """What every plan has alike."""
    names = {key: written.get(key, default) for key, default in DEFAULTS.items()}
    dataset, epochs = written.get("dataset"), written.get("epochs")
    for key, name in {"dataset": dataset, **names}.items():
        if not isinstance(name, str):
            raise UserError(f"{key} should be a name, and there is {_shown(name)}.")
    for key, name in names.items():
        _named(key, name)
    return {
        "dataset": dataset,
        **names,
        "epochs": _epochs(epochs),
        "image_size": _image_size(written),
        **{key: _count(key, written) for key in COUNTS},
        "augmentation": _augmentation(written),
    }


def _epochs(written: Any) -> int:
    if not _whole_from(1, written):
        raise UserError(f"epochs should be a whole number above 0, and there is {_shown(written)}.")
    return int(written)


def _named(key: str, name: Any) -> str:
    """The name of a method, a network or a task, as long as there is such a one."""
    if not isinstance(name, str):
        raise UserError(f"{key} should be a name, and there is {_shown(name)}.")
    catalog.source(f"{key}s", name)
    return name


def _augmentation(written: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The transforms that are asked for; None for those that suit the data."""
    names = written.get("augmentation")
    if names is None:
        return None
    if not _are(names, str):
        raise UserError(f"augmentation should be a list of names, and there is {names!r}.")
    from gnap_search.training import augment  # imports torch, which a study's driver does without

    augment.check(names)
    return tuple(names)


def _each(
    trial: Mapping[str, Any], seeds: list[int], given: Mapping[str, Any]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Seed and settings of every training of a [[trial]]."""
    for seed in _seeds(trial.get("seeds", seeds)):
        yield seed, {**given, **_own(trial)}


def _own(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What a [[trial]] says of its settings."""
    return {name: value for name, value in trial.items() if name not in APART}


def _checked(chosen: Mapping[str, Value], method: str) -> dict[str, Value]:
    """Settings, each in its own type."""
    fields = declared(method)
    for name, value in chosen.items():
        if not isinstance(value, bool | int | float | str):
            raise UserError(f"{name} = {value} is not one value; each [[trial]] has one of each setting.")
    return {name: settings.check(name, value, fields) for name, value in chosen.items()}


def _seeds(written: Any) -> list[int]:
    if not isinstance(written, list) or not written or not all(_whole_from(0, seed) for seed in written):
        raise UserError(f"seeds should be a list of whole numbers from 0, and there is {_shown(written)}.")
    twice = next((seed for seed in written if written.count(seed) > 1), None)
    if twice is not None:
        raise UserError(f"seeds has {twice} twice, which would be the same training; leave it out once.")
    return written


def _image_size(written: Mapping[str, Any]) -> int | None:
    side = written.get("image_size")
    if side is not None and not (_whole_from(SIDES[0], side) and side in SIDES):
        raise UserError(f"image_size should be from {SIDES[0]} to {SIDES[-1]} pixels, and there is {side!r}.")
    return side


def _count(key: str, written: Mapping[str, Any]) -> int | None:
    """How many images of a split are asked for; None for all of them."""
    count: int | None = written.get(key)
    if count is not None and not _whole_from(LEAST_IMAGES, count):
        raise UserError(f"{key} should be a whole number from {LEAST_IMAGES}, and there is {count!r}.")
    return count


def _whole_from(least: int, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
