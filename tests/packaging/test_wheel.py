"""The wheel: what lies in it, and that it works where there is nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


def required(
    distribution: str, extras: frozenset[str] = frozenset(), known: set[object] | None = None
) -> set[str]:
    """The distributions that one requires, and those that they require."""
    known = set() if known is None else known
    if (distribution, extras) in known:
        return set()
    known.add((distribution, extras))
    found = set()
    for requirement in map(Requirement, metadata.requires(distribution) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            found |= {requirement.name, *required(requirement.name, frozenset(requirement.extras), known)}
    return found


def link(distribution: str, packages: Path) -> None:
    """Put an installed distribution into another folder too: to install it again would take minutes."""
    tops = {file.parts[0] for file in metadata.files(distribution) or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (packages / top).exists():
            (packages / top).symlink_to(str(metadata.distribution(distribution).locate_file(top)))


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
    template = catalog.PACKAGE / "report" / "template"
    modules |= {path.relative_to(ROOT).as_posix() for path in template.iterdir()}
    assert modules <= names
    assert {name.split("/")[0] for name in names} == {"gnap_search", f"gnap_search-{VERSION}.dist-info"}
    assert "gnap_search/py.typed" in names
    assert not any("published" in name for name in names), "models are to be had from the repository"


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_wheel_lists_its_contents_where_only_its_requirements_are(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", folder=tmp_path)
    binaries = tmp_path / "venv" / "bin"
    run(binaries / "pip", "install", "-q", "--no-deps", wheel, folder=tmp_path)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    for distribution in required("gnap-search"):
        link(distribution, packages)
    run(binaries / "pip", "check", folder=tmp_path)
    listed = run(binaries / "gnap-search", "list", folder=tmp_path)
    kinds = [*catalog.FILES, *catalog.IMPLEMENTATIONS]
    assert all(name in listed for kind in kinds for name in catalog.names(kind))
    assert VERSION in run(binaries / "gnap-search", "--version", folder=tmp_path)
