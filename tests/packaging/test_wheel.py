"""The wheel: what lies in it, and that it works where there is nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from gnap_search import catalog

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def run(*command: str | Path, folder: Path) -> str:
    """The output of a program that knows nothing of this checkout."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_wheel_holds_the_package_and_its_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in catalog.FILES:
        assert {f"gnap_search/bundled/{kind}/{name}.toml" for name in catalog.names(kind)} <= names
    modules = {path.relative_to(ROOT).as_posix() for path in catalog.PACKAGE.rglob("*.py")}
    assert modules <= names
    assert {name.split("/")[0] for name in names} == {"gnap_search", f"gnap_search-{VERSION}.dist-info"}
    assert "gnap_search/py.typed" in names
    assert not any("published" in name for name in names), "models are to be had from the repository"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_lists_its_contents_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", folder=tmp_path)
    binaries = tmp_path / "venv" / "bin"
    # Compiling torch, Ray and all that they need takes as long as the rest, and hardly any of it is imported.
    run(binaries / "pip", "install", "-q", "--no-compile", wheel, folder=tmp_path)
    listed = run(binaries / "gnap-search", "list", folder=tmp_path)
    kinds = [*catalog.FILES, *catalog.IMPLEMENTATIONS]
    assert all(name in listed for kind in kinds for name in catalog.names(kind))
    assert VERSION in run(binaries / "gnap-search", "--version", folder=tmp_path)
