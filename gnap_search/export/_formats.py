"""Formats: which exporter writes and reads a file, and what the files of each format are called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from gnap_search import catalog
from gnap_search.contracts import ExporterModule
from gnap_search.errors import UserError


def exporter(name: str) -> ExporterModule:
    """The module of a format.

    Raises:
        UserError: the name is not known; the nearest one is told.
    """
    return cast(ExporterModule, catalog.implementation("export", name))


def files() -> dict[str, tuple[str, ...]]:
    """The file of every format, and what else it writes."""
    exporters = [exporter(name) for name in catalog.names("export")]
    return {one.FILENAME: tuple(one.BESIDE) for one in exporters}


def format_of(path: Path) -> str:
    """The format that a file's ending belongs to, the longest one: `.int8.onnx` is not `.onnx`.

    Raises:
        UserError: there is no such file, or no format has this ending; the known endings are told.
    """
    endings = {"".join(Path(exporter(name).FILENAME).suffixes): name for name in catalog.names("export")}
    fitting = [ending for ending in endings if path.name.endswith(ending)]
    if not fitting:
        known = ", ".join(sorted({Path(f"model{ending}").suffix for ending in endings}))
        raise UserError(f"{path} has the ending {path.suffix!r}, which no model format has; known: {known}.")
    if not os.path.isfile(path):  # pathlib raises for a path that no file could have
        raise UserError(f"There is no model file {path}.")
    return endings[max(fitting, key=len)]
