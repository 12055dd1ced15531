"""From what a user asks, in flags and a study file, to the study that is meant; nothing is written here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnap_search import catalog, settings, spec
from gnap_search.errors import UserError
from gnap_search.flags import Asked
from gnap_search.settings import Value
from gnap_search.space import Parameters

DEFAULT_DATASET = "digits"
DEFAULT_METHOD = str(spec.Study.model_fields["method"].default)
CONSTRAINTS = tuple(spec.Constraints.model_fields)
Fields = Mapping[str, dataclasses.Field[Any]]


def study(asked: Asked) -> spec.Study:
    """The study that is asked: a study file with what was asked laid over it.

    Raises:
        UserError: something in it is unknown, misspelt or out of bounds.
    """
    base = _base(asked)
    written = catalog.read_toml(base) if base else {}
    if base:  # a fault of the file's own is told by the file's name
        spec.resolve(written, str(base))
    return with_checked_settings(spec.resolve(_laid_over(written, asked)))


def load(path: Path) -> spec.Study:
    """The study of a file, its settings checked.

    Raises:
        UserError: something in it is unknown, misspelt or out of bounds; the file is named.
    """
    return with_checked_settings(spec.load(str(path)), str(path))


def with_checked_settings(asked: spec.Study, source: str = "") -> spec.Study:
    """The same study with every value in its setting's own type.

    Raises:
        UserError: a setting is not declared, or a value or an end of a range is not one that it accepts.
    """
    parameters = checked(asked.parameters, declared(asked.method), source)
    return asked.model_copy(update={"parameters": parameters})


def checked(parameters: Parameters, fields: Fields, source: str = "") -> Parameters:
    """Parameters with every value in its setting's own type, checked against the declarations."""

    def convert(name: str) -> Any:
        return lambda value: settings.check(name, value, fields)

    try:
        return {name: parameter.converted(convert(name)) for name, parameter in parameters.items()}
    except UserError as problem:
        raise UserError(f"{source}: {problem}" if source else str(problem)) from None


def declared(method: str) -> Fields:
    """Every setting that a study with this method may write, by name."""
    from gnap_search.training import trainer  # imports torch, which most commands do without

    return trainer.declared(method)


def values(given: Mapping[str, Value], method: str) -> dict[str, Value]:
    """Fixed settings of one training, checked."""
    fields = declared(method)
    return {name: settings.check(name, value, fields) for name, value in given.items()}


def name(asked: spec.Study) -> str:
    """The name that a study goes by when none is given: data set and method, safe as a folder's name."""
    dataset = asked.dataset
    if is_folder(dataset):
        dataset = Path(dataset).resolve().name or "images"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset}-{asked.method}").lstrip("-._")


def is_folder(dataset: str) -> bool:
    """Whether a data set is named by a path."""
    return dataset not in catalog.names("datasets") and ":" not in dataset


def _base(asked: Asked) -> Path | None:
    """The study file to start from."""
    if "base" in asked:
        return catalog.file("studies", asked["base"])
    namesake = asked.get("dataset", DEFAULT_DATASET)
    return catalog.file("studies", namesake) if namesake in catalog.names("studies") else None


def _laid_over(written: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """A study file's content with what was asked in its place."""
    flags: dict[str, Any] = {key: value for key, value in asked.items() if key != "base"}
    limits = {key: flags.pop(key) for key in CONSTRAINTS if key in flags}
    merged = {"dataset": DEFAULT_DATASET, "method": DEFAULT_METHOD, **written}
    if flags.get("method", merged["method"]) != merged["method"]:
        # What a file says about one method's settings means nothing to another.
        merged = {key: value for key, value in merged.items() if key not in ("search_space", "parameters")}
    if flags.get("dataset", merged["dataset"]) != merged["dataset"]:
        merged.pop("summary", None)
    parameters = {**merged.get("parameters", {}), **flags.pop("parameters", {})}
    constraints = {**merged.get("constraints", {}), **limits}
    return {**merged, **flags, "parameters": parameters, "constraints": constraints}
