"""A name -> a bundled file or an implementation module; what exists.

The folder is the registry: `gnap_search/methods/gnap.py` is what `--method gnap` names. A name on the command
line has hyphens where the file has underscores. Files that begin with an underscore are not listed.
"""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

from gnap_search.errors import UserError, nearest

PACKAGE = Path(__file__).parent
IMPLEMENTATIONS = {
    "methods": "method",
    "networks": "network",
    "datasets": "dataset",
    "tasks": "task",
    "export": "export format",
}
FILES = {"search_spaces": "search space", "studies": "study"}


def names(kind: str) -> list[str]:
    """Every name of a kind, sorted: implementations by their modules, TOML kinds by their files."""
    if kind in FILES:
        return sorted({path.stem for folder in _folders(kind) for path in folder.glob("*.toml")})
    modules = (PACKAGE / kind).glob("[!_]*.py")
    return sorted(path.stem.replace("_", "-") for path in modules)


def summary(kind: str, name: str) -> str:
    """The first line of what a name is about, read without importing anything.

    Raises:
        UserError: the name is not known, or its TOML file cannot be read.
    """
    if kind in FILES:
        return str(read_toml(file(kind, name)).get("summary", ""))
    return next(iter(docstring(kind, name).splitlines()), "")


def docstring(kind: str, name: str) -> str:
    """All that a module says of itself, read without importing it.

    Raises:
        UserError: the name is not known.
    """
    return ast.get_docstring(ast.parse(source(kind, name))) or ""


def source(kind: str, name: str) -> str:
    """The text of the module behind a name.

    Raises:
        UserError: the name is not known; the nearest one is told.
    """
    return _module_path(kind, name).read_text()


def implementation(kind: str, name: str) -> ModuleType:
    """The module behind a name.

    Raises:
        UserError: the name is not known; the nearest one is told.
    """
    _module_path(kind, name)
    return importlib.import_module(f"gnap_search.{kind}.{name.replace('-', '_')}")


def file(kind: str, name: str) -> Path:
    """The TOML file behind a name: a path that exists, then the user's own folder, then the bundle."""
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    for folder in _folders(kind):
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    raise UserError(f"Unknown {FILES[kind]} {name!r}; {nearest(name, names(kind))}")


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content.

    Raises:
        UserError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin with a mark
    except OSError as problem:
        raise UserError(f"Cannot read {path}: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not valid TOML: {problem}.") from None


def _module_path(kind: str, name: str) -> Path:
    path = PACKAGE / kind / f"{name.replace('-', '_')}.py"
    if name not in names(kind):
        raise UserError(f"Unknown {IMPLEMENTATIONS[kind]} {name!r}; {nearest(name, names(kind))}")
    return path


def _folders(kind: str) -> list[Path]:
    """The user's folder first; the bundle lies inside a wheel, and beside the package in a checkout."""
    bundled = PACKAGE / "bundled" / kind
    return [Path.cwd() / kind, bundled if bundled.is_dir() else PACKAGE.parent / kind]
