"""Request: from what a user asks, in flags and files, to the study or training that is meant."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gnap_search import catalog, datasets, qualified, settings, spec
from gnap_search.errors import UserError, nearest
from gnap_search.flags import Asked, Training
from gnap_search.settings import Value
from gnap_search.space import Parameters
from gnap_search.training import plan as plans
from gnap_search.training.plan import Plan

DEFAULT_DATASET = "digits"
DEFAULT_METHOD = str(spec.Study.model_fields["method"].default)
CONSTRAINTS = tuple(spec.Constraints.model_fields)


def study(asked: Asked) -> spec.Study:
    """The study that is asked: a study file with what was asked laid over it.

    Raises:
        UserError: something in it is unknown, misspelt or out of bounds.
    """
    base = _base(asked)
    written = catalog.read_toml(base) if base else {}
    if base:  # a fault of the file's own is told by the file's name
        _checked(spec.resolve(written, str(base)), str(base))
    meant = _checked(spec.resolve(_laid_over(written, asked)))
    return meant.model_copy(update={"dataset": _from_anywhere(meant.dataset)})


def extended(kept: spec.Study, trials: int | str | None) -> spec.Study:
    """A study with another number of trials: in all, or as many more as a text like `+20` says.

    Raises:
        UserError: it is not a number, or not above 0.
    """
    if trials is None:
        return kept
    text = str(trials)
    if not re.fullmatch(r"\+?[0-9]+", text) or int(text) == 0:
        raise UserError(f"--trials {text} should be a number of trials in all, or +N for N more.")
    return kept.model_copy(update={"trials": int(text) + (kept.trials if text.startswith("+") else 0)})


def plan(given: Mapping[str, Value], asked: Training) -> Plan:
    """One training: what was asked, the rest as the study of its data set fixes it, or at its default.

    Raises:
        UserError: something in it is unknown, misspelt or out of bounds.
    """
    shared = {key: value for key, value in asked.items() if key in spec.Study.model_fields}
    chosen = {name: value for name, value in given.items() if name == spec.OPTIMIZER}
    meant = study(cast(Asked, {**shared, "parameters": chosen}))
    if len(meant.methods) > 1:
        raise UserError(f"One training has one method, and {meant.method!r} names several; choose one.")
    fields = plans.declared(meant.method)
    fixed = {name: one.value for name, one in meant.parameters.items() if one.value is not None}
    chosen = {name: settings.check(name, value, fields) for name, value in {**fixed, **given}.items()}
    plans.refuse_idle(meant.network, chosen)
    return Plan(
        trial=0,
        seed=meant.seed,
        settings=chosen,
        **meant.for_each_trial(),
    )


def read(path: Path) -> spec.Study | spec.SpaceFile:
    """What a study's or a search space's file amounts to, everything in it checked.

    Raises:
        UserError: something in it is unknown, misspelt or out of bounds; the file and the key are named.
    """
    written, source = catalog.read_toml(path), str(path)
    if "dataset" not in written and written.keys() <= spec.SpaceFile.model_fields.keys():
        space = spec.read_space(path)
        with _told_by(source):
            return space.model_copy(update={"parameters": _converted(space.parameters, space.method)})
    found = _checked(spec.resolve(written, source), source)
    _refuse_unknown_dataset(found.dataset, source)
    return found


def name(dataset: str, method: str) -> str:
    """The name that a study goes by when none is given: data set and method, safe as a folder's name."""
    if may_be_path(dataset):
        dataset = Path(dataset).resolve().name.removesuffix(datasets.ARCHIVE)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset}-{method}").lstrip("-._")
    return safe[-100:].lstrip("-._")


def may_be_path(dataset: str) -> bool:
    """Whether a data set's name is that of no known one and of no function, and so a folder's or file's."""
    return dataset not in catalog.names("datasets") and not datasets.FUNCTION.fullmatch(dataset)


def _checked(meant: spec.Study, source: str = "") -> spec.Study:
    """The study with what only the trainer knows checked too, and every value in its setting's own type."""
    with _told_by(source):
        if meant.augmentation:
            from gnap_search.training import augment  # imports torch, which most commands do without

            augment.check(meant.augmentation)
        parameters = _converted(meant.parameters, meant.method)
        plans.refuse_idle(meant.network, {name: one.value for name, one in parameters.items()})
        return meant.model_copy(update={"parameters": parameters})


def _converted(parameters: Parameters, method: str) -> Parameters:
    """Parameters with every value in its setting's own type, checked against the declarations."""
    fields = plans.declared(method)

    def in_its_type(name: str) -> Any:
        return lambda value: settings.check(name, value, fields)

    return {name: parameter.converted(in_its_type(name)) for name, parameter in parameters.items()}


@contextlib.contextmanager
def _told_by(source: str) -> Iterator[None]:
    """Put the file's name before what is wrong in it."""
    try:
        yield
    except UserError as problem:
        raise UserError(f"{source}: {problem}" if source else str(problem)) from None


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
    if "method" in flags:
        merged = _for_methods(merged, flags["method"])
    if flags.get("dataset", merged["dataset"]) != merged["dataset"]:
        merged.pop("summary", None)
    own = flags.pop("parameters", {})
    parameters = {**spec.suited(merged.get("parameters", {}), own.get(spec.OPTIMIZER)), **own}
    constraints = {**merged.get("constraints", {}), **limits}
    return {**merged, **flags, "parameters": parameters, "constraints": constraints}


def _for_methods(written: Mapping[str, Any], asked: Any) -> dict[str, Any]:
    """A study file's content as far as it holds for the methods asked for, however these are written."""
    try:
        before, now = (qualified.methods(spec.joined(text)) for text in (written["method"], asked))
    except ValueError:  # `spec.resolve` says what is wrong with it
        return dict(written)
    if {*before} == {*now}:
        return dict(written)
    content = {key: value for key, value in written.items() if key != "search_space"}
    return {**content, "parameters": _kept(written.get("parameters", {}), before, now)}


def _kept(parameters: Mapping[str, Any], before: Sequence[str], now: Sequence[str]) -> dict[str, Any]:
    """What a study says of its data and not of its methods, so that methods are compared on equal terms.

    That is what it fixes of the settings that all methods have. What it searches is said of its own methods
    (how wide GNAP may begin is not how wide a dense network is), and is kept of those that are among the
    methods now.
    """
    shared = settings.known(plans.TrainingSettings)
    kept = {name: value for name, value in parameters.items() if name in shared and _is_fixed(value)}
    own = {name: value for name, value in parameters.items() if name not in kept}
    return {**kept, **qualified.carried_over(before, now, own)}


def _is_fixed(written: Any) -> bool:
    """Whether a setting stands for one value, as a study's file writes it."""
    return "value" in written if isinstance(written, Mapping) else not isinstance(written, list | tuple)


def _from_anywhere(dataset: str) -> str:
    """A data set's name as it holds in any working directory: a path becomes absolute."""
    place = datasets.place(dataset) if may_be_path(dataset) else None
    return str(place.resolve()) if place else dataset


def _refuse_unknown_dataset(dataset: str, source: str) -> None:
    known = catalog.names("datasets")
    if may_be_path(dataset) and datasets.place(dataset) is None:
        raise UserError(
            f"{source}: dataset = {dataset!r} is no data set and no {datasets.kind(dataset)}; "
            f"{nearest(dataset, known)}"
        )
