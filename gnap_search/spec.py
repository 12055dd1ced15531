"""Study and its parts: TOML in, frozen validated values out; unknown keys are refused by name.

A study file and the command line's flags meet here. What a study *is* (`Study`) must stay the same for as long as
it lives; where and how it runs (`Launch`) may change at every start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnap_search import catalog
from gnap_search.errors import UserError, nearest
from gnap_search.front import Budget
from gnap_search.space import Parameters

M = TypeVar("M", bound=BaseModel)
Sampler = Literal["tpe", "nsgaii", "gp", "random", "qmc"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constraints(_Frozen):
    """Limits on the front's points; the sampler is told of them as Optuna constraints."""

    max_params: int | None = Field(None, gt=0)
    max_macs: int | None = Field(None, gt=0)
    min_accuracy: float | None = Field(None, ge=0, le=1)

    def budget(self) -> Budget:
        """The same limits as the front knows them."""
        return Budget(self.max_params, self.max_macs, self.min_accuracy)


class Study(_Frozen):
    """Everything that decides a study's results."""

    summary: str = ""
    dataset: str
    method: str = "gnap"
    network: str = "plain-cnn"
    task: str = "classification"
    trials: int = Field(20, gt=0)
    epochs: int = Field(30, gt=0)
    seed: int = Field(0, ge=0)
    sampler: Sampler = "tpe"
    image_size: int | None = Field(None, ge=8, le=512)
    augmentation: tuple[str, ...] | None = None
    constraints: Constraints = Constraints()
    parameters: Parameters = Field(default_factory=dict)

    def differences(self, other: Study) -> dict[str, tuple[Any, Any]]:
        """Setting -> (this study's value, the other's), for what differs; summaries do not count."""
        mine, theirs = _flat(self.model_dump()), _flat(other.model_dump())
        keys = sorted((mine.keys() | theirs.keys()) - {"summary"})
        return {key: (mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)}

    def to_toml(self) -> str:
        """The study as a file that `load` reads back to the same value."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


class Launch(_Frozen):
    """Where and how a study runs; none of it changes what a trial computes."""

    data_root: Path | None = None
    storage: str | None = None
    address: str | None = None
    cpus_per_trial: float = Field(1, gt=0)
    gpus_per_trial: float = Field(0, ge=0)
    download: bool = True
    verbose: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """The launch settings that a run folder keeps."""
        return _validated(cls, tomllib.loads(path.read_text()), path.name)

    def to_toml(self) -> str:
        """The launch settings as a file."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


class SpaceFile(_Frozen):
    """A file of `search_spaces/`."""

    summary: str = ""
    method: str
    parameters: Parameters


def load(name: str) -> Study:
    """The study of a TOML file, by name or by path, with its search space filled in."""
    path = catalog.file("studies", name)
    return resolve(read_toml(path), str(path))


def load_space(name: str) -> SpaceFile:
    """The search space of a TOML file, by name or by path."""
    path = catalog.file("search_spaces", name)
    return _validated(SpaceFile, read_toml(path), str(path))


def resolve(written: Mapping[str, Any], source: str) -> Study:
    """A study from what a file or flags say.

    `search_space` names the space that is filled in below the study's own `parameters`; without it the space that
    carries the method's name is taken, unless the study already lists parameters of its own under `complete`.

    Raises:
        UserError: a key or value is wrong; the file and the key are named.
    """
    values = dict(written)
    complete = values.pop("complete", False)
    space_name = values.pop("search_space", None)
    if not complete:
        method = str(values.get("method", Study.model_fields["method"].default))
        space = load_space(str(space_name or method))
        if space.method != method:
            raise UserError(
                f"{source}: search space {space_name!r} is for method {space.method!r}, not {method!r}."
            )
        values["parameters"] = {**space.model_dump()["parameters"], **values.get("parameters", {})}
    study = _validated(Study, values, source)
    for kind, name in (("methods", study.method), ("networks", study.network), ("tasks", study.task)):
        if name not in catalog.names(kind):
            word = catalog.IMPLEMENTATIONS[kind]
            raise UserError(f"{source}: unknown {word} {name!r}; {nearest(name, catalog.names(kind))}")
    return study


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content.

    Raises:
        UserError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as problem:
        raise UserError(f"Cannot read {path}: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not valid TOML: {problem}.") from None


def _validated(model: type[M], values: Mapping[str, Any], source: str) -> M:
    """A model, or one sentence about its first problem."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        raise UserError(f"{source}: {_sentence(model, problem)}") from None


def _sentence(model: type[BaseModel], problem: ValidationError) -> str:
    first = problem.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, first["loc"])
        return f"unknown key {key!r}; {nearest(str(first['loc'][-1]), fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing."
    return f"{key or 'the file'}: {first['msg'].removeprefix('Value error, ')}."


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed where an unknown one was found."""
    from gnap_search.space import Parameter

    if location[0] == "constraints" and len(location) > 1:
        return list(Constraints.model_fields)
    if location[0] == "parameters" and len(location) > 1:
        return list(Parameter.model_fields)
    return [*model.model_fields, "search_space"]


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and key != "when":
            flat.update(_flat(inner, f"{prefix}{key}."))
        else:
            flat[prefix + key] = list(inner) if isinstance(inner, tuple) else inner
    return flat


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
