"""Style, format, types and layers: what the tools say of the whole project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_reading_a_run_imports_nothing_heavy() -> None:
    loaded = f"import sys, gnap_search, gnap_search.verbs; loaded = {HEAVY} & {{*sys.modules}}"
    passes(sys.executable, "-c", f"{loaded}; assert not loaded, loaded")


def test_a_driver_begins_without_what_takes_seconds() -> None:
    """Torch scores at the end, scikit-learn measures importances, SciPy's statistics make first proposals."""
    used = "from gnap_search.search import drive, gathering, launch, study"
    loaded = "loaded = {'torch', 'sklearn', 'scipy.stats'} & {*sys.modules}"
    passes(sys.executable, "-c", f"import sys; {used}; {loaded}; assert not loaded, loaded")
