"""Settings: typed, bounded, explained fields of frozen dataclasses, decoded once from flat names.

Methods and the trainer declare their hyper-parameters with `setting`; everything that a user may write,
in TOML or as a flag, is checked against those declarations. Standard library only, so that training runs
where the search's own dependencies are not installed.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from gnap_search.errors import UserError, nearest

Value = bool | int | float | str
DIGITS = sys.float_info.max_10_exp  # of a number, before its point
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What a setting accepts: a closed range, or a few choices."""

    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


def setting(default: Any, about: str, bounds: Bounds = Bounds()) -> Any:
    """A dataclass field with its explanation and bounds; its type is the type of its default."""
    return dataclasses.field(default=default, metadata={"about": about, "bounds": bounds})


def known(*groups: type) -> dict[str, dataclasses.Field[Any]]:
    """Every setting of the given dataclasses by name."""
    return {field.name: field for group in groups for field in dataclasses.fields(group)}


def read(source: str) -> dict[str, dataclasses.Field[Any]]:
    """Every setting that a module's text declares, by name: importing a method would import torch as well.

    What a declaration holds besides literals is `Bounds`.
    """
    names = {"setting": setting, "Bounds": Bounds}
    declared: dict[str, Any] = {}
    for statement in ast.walk(ast.parse(source)):
        match statement:
            case ast.AnnAssign(target=ast.Name(name), value=ast.Call(func=ast.Name("setting")) as call):
                expression = compile(ast.Expression(call), name, "eval")
                declared[name] = eval(expression, names)  # noqa: S307 (the package's own text)
    made = dataclasses.make_dataclass("Declared", [(name, Any, field) for name, field in declared.items()])
    return known(made)


def constant(source: str, name: str) -> str:
    """The literal that a module's text declares under a name, in a class or outside."""
    for statement in ast.walk(ast.parse(source)):
        match statement:
            case ast.AnnAssign(target=ast.Name(found), value=ast.Constant(value)) if found == name:
                return str(value)
    raise KeyError(name)


def check(name: str, value: Value, fields: Mapping[str, dataclasses.Field[Any]]) -> Value:
    """One value, converted to its setting's type.

    Raises:
        UserError: the name is unknown, or the value has the wrong type or lies out of bounds.
    """
    if name not in fields:
        raise UserError(f"Unknown setting {name!r}; {nearest(name, fields)}")
    field = fields[name]
    kind = type(field.default)
    bounds: Bounds = field.metadata["bounds"]
    converted: Any = _convert(name, value, kind)
    if bounds.choices and converted not in bounds.choices:
        raise UserError(f"{name} = {value!r} is not one of {', '.join(bounds.choices)}.")
    if bounds.low is not None and converted < bounds.low:
        raise UserError(f"{name} = {value} is below its least value {bounds.low}.")
    if bounds.high is not None and converted > bounds.high:
        raise UserError(f"{name} = {value} is above its greatest value {bounds.high}.")
    accepted: Value = converted
    return accepted


def decode(group: type[T], values: Mapping[str, Value]) -> T:
    """An instance of `group` from those of `values` that it declares; the others are left alone."""
    fields = known(group)
    return group(**{name: check(name, value, fields) for name, value in values.items() if name in fields})


def _convert(name: str, value: Value, kind: type) -> Any:
    """The value as a `kind`; numbers may be written as text, and whole ones as `3.0`."""
    if kind is bool and (isinstance(value, bool) or value in ("true", "false")):
        return value in (True, "true")
    if kind is str and isinstance(value, str):
        return value
    if kind in (int, float) and not isinstance(value, bool):
        number = _number(name, value)
        if math.isfinite(number) and (kind is float or number.is_integer()):
            return kind(number)
    raise UserError(f"{name} = {value!r} is not a {_WORDS[kind]}.")


def _number(name: str, value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
    except OverflowError:
        raise UserError(f"{name} is too large: a number has at most {DIGITS} digits.") from None


_WORDS = {bool: "truth value (true or false)", str: "word", int: "whole number", float: "number"}
