"""Entries: what the catalog has under a name, as plain values for `list` and `show`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from gnap_search import catalog, settings
from gnap_search.errors import UserError
from gnap_search.training import plan

KINDS = {**catalog.IMPLEMENTATIONS, **catalog.FILES}
HEADINGS = {"export": "export formats"} | {kind: kind.replace("_", " ") for kind in KINDS if kind != "export"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing of the catalog: its kind in words, its name, and the sentence that says what it is."""

    kind: str
    name: str
    summary: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """A declared setting: its default, what it accepts, and what it means."""

    name: str
    default: Any
    accepts: str
    about: str


@dataclasses.dataclass(frozen=True)
class Page:
    """All there is to say of an entry: a docstring or a file's text, and for a method its settings."""

    entry: Entry
    text: str
    settings: tuple[Setting, ...] = ()


def everything() -> dict[str, list[Entry]]:
    """Heading -> its entries, for every kind."""
    return {
        HEADINGS[kind]: [Entry(word, name, _summary(kind, name)) for name in catalog.names(kind)]
        for kind, word in KINDS.items()
    }


def pages(name: str) -> list[Page]:
    """A page for every kind that has something of this name; none where no kind has."""
    return [_page(kind, word, name) for kind, word in KINDS.items() if name in catalog.names(kind)]


def names() -> set[str]:
    """Every name of every kind."""
    return {name for kind in KINDS for name in catalog.names(kind)}


def _page(kind: str, word: str, name: str) -> Page:
    entry = Entry(word, name, _summary(kind, name))
    if kind in catalog.FILES:
        return Page(entry, catalog.file(kind, name).read_text(encoding="utf-8"))
    return Page(entry, catalog.docstring(kind, name), _settings(name) if kind == "methods" else ())


def _settings(method: str) -> tuple[Setting, ...]:
    fields = plan.declared(method)
    own = settings.read(catalog.source("methods", method))
    ordered = sorted(fields.values(), key=lambda field: field.name not in own)
    return tuple(
        Setting(field.name, field.default, _accepts(field.metadata), str(field.metadata["about"]))
        for field in ordered
    )


def _accepts(metadata: Mapping[str, Any]) -> str:
    bounds = metadata["bounds"]
    if bounds.choices:
        return ", ".join(bounds.choices)
    if bounds.low is None and bounds.high is None:
        return "any"
    if bounds.high is None:
        return f"{bounds.low:g} or more"
    return f"to {bounds.high:g}" if bounds.low is None else f"{bounds.low:g} to {bounds.high:g}"


def _summary(kind: str, name: str) -> str:
    """One line, also of a file of the user's that is broken: a list must not end at it."""
    try:
        return catalog.summary(kind, name)
    except UserError as problem:
        return str(problem)
