"""Plan: everything that decides what a trial computes, as plain values; torch is not needed to write one."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self, cast

from gnap_search import catalog, qualified, settings
from gnap_search.errors import UserError
from gnap_search.settings import Bounds, Value, setting

# The values at which every block exists and none is opened.
DEPTH = {"seed_depth": 1.0, "depth_growth": "never"}


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """What every method shares."""

    optimizer: str = setting(
        "adamw", "how weights learn; sgd has Nesterov momentum of 0.9", Bounds(choices=("adamw", "sgd"))
    )
    learning_rate: float = setting(1e-2, "learning rate of the weights", Bounds(0, 100))
    weight_decay: float = setting(1e-2, "weight decay of the weights; AdamW's is decoupled", Bounds(0, 10))
    batch_size: int = setting(0, "images a step, 2 at least; 0 is 128, or fewer on small data", Bounds(0))
    finishing_share: float = setting(0.5, "share of the epochs without growth", Bounds(0, 1))
    augmented_share: float = setting(0.5, "share of the training images that are augmented", Bounds(0, 1))
    seed_scale: float = setting(1.0, "starting widths / the network's own", Bounds(0.01, 64))
    seed_depth: float = setting(1.0, "share of the residual blocks that exist at the start", Bounds(0, 1))
    label_smoothing: float = setting(
        0.0, "share of each label that is spread over all classes in training", Bounds(0, 1)
    )
    precision: str = setting(
        "auto", "arithmetic of training", Bounds(choices=("auto", "float32", "bfloat16"))
    )


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that decides what one trial computes, given the images of its data set.

    `costs` are the fields of its points in which small values may earn a network its place on a front: those
    that another point beats in all of them and in accuracy are not kept.
    """

    trial: int
    dataset: str
    method: str
    network: str
    task: str
    epochs: int
    seed: int
    augmentation: tuple[str, ...] | None
    settings: Mapping[str, Value]
    image_size: int | None = None
    training_images: int | None = None
    validation_images: int | None = None
    costs: tuple[str, ...] = ("parameters", "macs")

    def to_json(self) -> str:
        """The plan as text that `from_json` reads back."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The plan that a trial's folder has, as `gnap_search.runs` reads it."""
        lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
        return cls(**{**record, **lists})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan of `to_json`."""
        return cls.of(json.loads(text))


def declared(method: str) -> dict[str, dataclasses.Field[Any]]:
    """Every setting that a trial of this method knows, by name; the method is read and not imported.

    Of several methods, separated by commas, each has all of its settings behind its name, and those that all
    have are there by their plain names too.
    """
    names, shared = qualified.methods(method), settings.known(TrainingSettings)
    if len(names) == 1:
        return {**shared, **settings.read(catalog.source("methods", method))}
    choice = setting(names[0], "which method", Bounds(choices=names))
    own = {qualified.name(name, key): field for name in names for key, field in declared(name).items()}
    return {qualified.CHOICE: choice, **shared, **own}


def defaults(method: str) -> dict[str, Value]:
    """What a trial of this method has of each setting that it is not given."""
    return {name: cast(Value, field.default) for name, field in declared(method).items()}


def check_settings(method: str, given: Mapping[str, Value]) -> None:
    """Refuse what no trial of this method could use.

    Raises:
        UserError: a setting is unknown, or its value is out of bounds.
    """
    fields = declared(method)
    for name, value in given.items():
        settings.check(name, value, fields)


def refuse_idle(network: str, given: Mapping[str, Value | None]) -> None:
    """Refuse settings of blocks for a network in which none may be left out; None stands for a searched one.

    Raises:
        UserError: one would change nothing.
    """
    of_blocks = [name for name, value in given.items() if value != DEPTH.get(qualified.plain(name), value)]
    if not of_blocks or _has_blocks(network):
        return
    able = [other for other in catalog.names("networks") if _has_blocks(other)]
    raise UserError(
        f"{of_blocks[0]} counts only in a network with blocks that may be left out, and {network} has none; "
        f"leave it out, or take one of {', '.join(able)}."
    )


def _has_blocks(network: str) -> bool:
    return "OPTIONAL" in set(_declared(ast.parse(catalog.source("networks", network))))


def _declared(module: ast.Module) -> Iterator[str]:
    """The names that a module's own statements give values to, in tuples as well."""
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (
                name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            )
