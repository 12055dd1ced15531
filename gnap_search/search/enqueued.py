"""Enqueued: configurations of a file that a study trains before its sampler proposes any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gnap_search import qualified, spec
from gnap_search.errors import UserError
from gnap_search.settings import Value
from gnap_search.training import configurations
from gnap_search.training.plan import defaults


def read(path: Path, study: spec.Study) -> list[dict[str, Value]]:
    """What each [[trial]] of a file fixes of the searched settings, equal ones once, in their order.

    `study` has no range per image any more. Data, epochs and seeds are the study's, whatever the file says.

    Raises:
        UserError: a setting is unknown, out of range or not the study's; the file, the trial and the key are
            named.
    """
    unsaid = defaults(study.method)
    asked: list[dict[str, Value]] = []
    for number, (method, settings) in enumerate(configurations.chosen(path, study.methods), start=1):
        chosen = _named(study, method, settings)
        for name, value in chosen.items():
            problem = _problem(study, name, value, unsaid) or _idle(study, name, chosen)
            if problem:
                raise UserError(f"{path}, [[trial]] {number}: {name} = {value} {problem}.")
        fixed = {name: value for name, value in chosen.items() if _is_searched(study, name)}
        if fixed not in asked:
            asked.append(fixed)
    return asked


def _named(study: spec.Study, method: str, settings: Mapping[str, Value]) -> dict[str, Value]:
    """A configuration by the names that the study has for its settings."""
    if len(study.methods) == 1:
        return dict(settings)
    plain = {name for name in settings if name in study.parameters}
    names = {name: name if name in plain else qualified.name(method, name) for name in settings}
    return {qualified.CHOICE: method, **{names[name]: value for name, value in settings.items()}}


def _is_searched(study: spec.Study, name: str) -> bool:
    return name in study.parameters and study.parameters[name].searched


def _problem(study: spec.Study, name: str, value: Value, unsaid: Mapping[str, Value]) -> str | None:
    """Why a value cannot be drawn; None where it can."""
    if _is_searched(study, name):
        parameter = study.parameters[name]
        return None if parameter.admits(value) else f"is outside {parameter}"
    fixed = study.parameters[name].value if name in study.parameters else unsaid[name]
    if value == fixed:
        return None
    return f"is not what the study has fixed, which is {fixed}; search or fix it with --set"


def _idle(study: spec.Study, name: str, chosen: Mapping[str, Value]) -> str | None:
    """Why a setting would not be drawn beside the others that are chosen; None where it may be."""
    if name not in study.parameters:
        return None
    for other, wanted in study.parameters[name].when.items():
        if chosen.get(other, wanted) != wanted:
            return f"counts only when {other} is {wanted}"
    return None
