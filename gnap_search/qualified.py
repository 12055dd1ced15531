"""Qualified: the settings of several methods in one search space, each behind its method's name.

A study of several methods, `method = "gnap,rigl"`, draws `method` first and then what that method needs:
`rigl.density` is drawn only where the method is rigl. What the study says of settings that all methods have
keeps its plain name. In a study of one method every name is plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gnap_search import catalog, settings
from gnap_search.settings import Value

CHOICE = "method"
Written = Mapping[str, Any]  # a table `[parameters]`, checked or not


def methods(written: str) -> tuple[str, ...]:
    """The methods of a study, by what it says of its method."""
    return tuple(written.split(","))


def name(method: str, setting: str) -> str:
    """What a setting of one of several methods is called."""
    return f"{method}.{setting}"


def plain(setting: str) -> str:
    """A setting's own name, without its method's."""
    return setting.rpartition(".")[2]


def merged(spaces: Mapping[str, Written], own: Written) -> dict[str, Any]:
    """One `[parameters]` table of the search spaces of several methods, with what a study says laid over it.

    The study's plain name of a setting that some methods declare themselves is meant for each of these; of
    any other it is meant for all methods.
    """
    meant = dict(_meant(tuple(spaces), own))
    shared = {key: value for key, value in meant.items() if "." not in key}
    parameters: dict[str, Any] = {CHOICE: {"choices": tuple(spaces)}, **shared}
    for method, space in spaces.items():
        whole = {name(method, key): value for key, value in space.items() if key not in shared}
        whole |= {key: value for key, value in meant.items() if key.startswith(name(method, ""))}
        parameters |= {key: _when(method, value) for key, value in whole.items()}
    return parameters


def configured(written: str, drawn: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    """The method that a draw has chosen, and its settings under their plain names."""
    if CHOICE not in drawn:
        return written, dict(drawn)
    method = str(drawn[CHOICE])
    prefix = name(method, "")
    chosen = {key: value for key, value in drawn.items() if "." not in key and key != CHOICE}
    chosen |= {key.removeprefix(prefix): value for key, value in drawn.items() if key.startswith(prefix)}
    return method, chosen


def known(written: str, method: str, chosen: Mapping[str, Value]) -> dict[str, Value]:
    """A configuration of one method under every name that a study's space may have for it."""
    if len(methods(written)) == 1:
        return dict(chosen)
    return {CHOICE: method, **chosen, **{name(method, key): value for key, value in chosen.items()}}


def carried_over(before: Sequence[str], now: Sequence[str], own: Written) -> dict[str, Any]:
    """What a study of some methods says of those that are in another study too, in the words of that one."""
    every = {
        full: value
        for key, value in _meant(before, own)
        for full in ([key] if "." in key else [name(method, key) for method in before])
    }
    carried = {key: value for key, value in every.items() if key.rpartition(".")[0] in now}
    if len(now) > 1:
        return carried
    return {plain(key): _unconditionally(value) for key, value in carried.items()}


def _meant(names: Sequence[str], own: Written) -> Iterator[tuple[str, Any]]:
    """What a study says, each under the name or names that it is meant for."""
    declared = {method: settings.read(catalog.source("methods", method)) for method in names}
    for key, value in own.items():
        owners = [method for method in names if key in declared[method]]
        if owners:
            yield from ((name(method, key), value) for method in owners)
        elif key != CHOICE:  # a complete study names it, and it is chosen from here in any case
            yield key, value


def _when(method: str, parameter: Any) -> Any:
    """A parameter, checked or not, that is drawn only where the method is this one."""
    if hasattr(parameter, "when"):
        return parameter.model_copy(update={"when": _conditions(method, parameter.when)})
    if isinstance(parameter, Mapping):
        return {**parameter, "when": _conditions(method, parameter.get("when", {}))}
    form = "choices" if isinstance(parameter, list | tuple) else "value"
    return {form: parameter, "when": _conditions(method, {})}


def _unconditionally(parameter: Any) -> Any:
    """A parameter as a file writes it, for a study of its method alone: no condition is on the method."""
    if not isinstance(parameter, Mapping):
        return parameter
    conditions = parameter.get("when", {})
    return {**parameter, "when": {plain(key): value for key, value in conditions.items() if key != CHOICE}}


def _conditions(method: str, written: Any) -> Any:
    if not isinstance(written, Mapping):
        return written  # the validation says what is wrong with it
    inner = {
        key if "." in key else name(method, key): value for key, value in written.items() if key != CHOICE
    }
    return {CHOICE: method, **inner}
