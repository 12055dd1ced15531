"""Style, format, types and layers: what the tools say of the whole project."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnap_search import catalog, spec
from gnap_search.search import storage

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
HEAVY = {"torch", "ray", "optuna", "sklearn", "torchvision"}


def passes(*command: str | Path) -> None:
    """Run a tool in the project's root; what it complains of is what the test fails with."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]


def test_style() -> None:
    passes(TOOLS / "ruff", "check", "--no-cache")


def test_format() -> None:
    passes(TOOLS / "ruff", "format", "--check", "--no-cache")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_types() -> None:
    passes(TOOLS / "mypy")


@pytest.mark.slow
def test_layers() -> None:
    passes(TOOLS / "lint-imports", "--no-cache")


@pytest.mark.parametrize("kind", catalog.IMPLEMENTATIONS)
def test_siblings_never_import_each_other(kind: str) -> None:
    """What several files of a folder need lies in one of its files that begin with an underscore."""
    package = f"gnap_search.{kind}"
    siblings = {f"{package}.{name.replace('-', '_')}" for name in catalog.names(kind)}
    for path in (catalog.PACKAGE / kind).glob("*.py"):
        if path.name != "__init__.py":
            assert not siblings & set(imported(ast.parse(path.read_text()))), path.name


def imported(module: ast.Module) -> Iterator[str]:
    """The full name of everything that a module imports, at its head or later."""
    for statement in ast.walk(module):
        if isinstance(statement, ast.Import):
            yield from (one.name for one in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{one.name}" for one in statement.names)


def test_reading_a_run_imports_nothing_heavy() -> None:
    loaded = f"import sys, gnap_search, gnap_search.verbs; loaded = {HEAVY} & {{*sys.modules}}"
    passes(sys.executable, "-c", f"{loaded}; assert not loaded, loaded")


def test_a_driver_begins_without_what_takes_seconds() -> None:
    """Torch scores at the end, scikit-learn measures importances, SciPy's statistics make first proposals."""
    used = "from gnap_search.search import drive, gathering, launch, study"
    loaded = "loaded = {'torch', 'sklearn', 'scipy.stats'} & {*sys.modules}"
    passes(sys.executable, "-c", f"import sys; {used}; {loaded}; assert not loaded, loaded")


def test_studies_are_read_without_what_trains_them(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "study.toml").write_text(spec.load("digits").to_toml())
    (folder / "launch.toml").write_text("")
    held = storage.connect(folder, None)
    storage.study(held, "one")
    held.engine.dispose()
    read = f"(one,) = gnap_search.studies(runs={str(tmp_path)!r}); assert one.state == 'stopped'"
    loaded = f"loaded = {HEAVY - {'optuna'}} & {{*sys.modules}}"
    passes(sys.executable, "-c", f"import sys, gnap_search; {read}; {loaded}; assert not loaded, loaded")
