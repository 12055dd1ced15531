"""The pages for users: every command is typed as it stands, with the smaller values of `pages.SMALLER`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gnap_search import datasets
from gnap_search.cli import app
from tests.docs.pages import DOCS, FOLLOWED, Command, File, steps

ROOT = DOCS.parent
CLONED = (
    "gnap_search",
    "search_spaces",
    "studies",
    "tests/contracts",
    "tests/networks",
    "tests/conftest.py",
    "pyproject.toml",
)
NOT_RUN = {
    ("quick-start", "it installs from the network"): 1,
    ("own-images", "it installs from the network"): 1,
    ("microcontroller", "it needs a cross compiler"): 2,
    ("adding-a-method", "it installs from the network"): 1,
    ("adding-a-method", "it searches for minutes"): 3,
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all pages, so that they share a study; it has pictures, as the reader has."""
    place = tmp_path_factory.mktemp("desk")
    _write_pictures(place / "pictures")
    _write_pictures(place / "new-pictures")
    return place


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a change of the code needs."""
    place = tmp_path_factory.mktemp("clone")
    for name in CLONED:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "published")
            )
        else:
            shutil.copy(ROOT / name, place / name)
    return place


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("page", [page for page in FOLLOWED if page != "adding-a-method"])
def test_a_page_can_be_followed(page: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.delenv("GNAP_SEARCH_RUNS", raising=False)
    for step in steps(page):
        if isinstance(step, File):
            Path(step.path).write_text(step.text)
        elif step.reason:
            continue
        elif step.line.startswith("gnap-search dashboard "):
            _look_and_leave(step)
        elif step.line.startswith("gnap-search "):
            _type_here(step)
        else:
            _type(step, desk)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_method_can_be_added(clone: Path) -> None:
    for step in steps("adding-a-method"):
        if isinstance(step, File):
            (clone / step.path).write_text(step.text)
        elif not step.reason:
            _type(step, clone)


def test_what_is_not_run() -> None:
    commands = [(page, step) for page in FOLLOWED for step in steps(page) if isinstance(step, Command)]
    left_out = [(page, command.reason) for page, command in commands if command.reason]
    assert {kind: left_out.count(kind) for kind in left_out} == NOT_RUN


def test_the_index_has_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *DOCS.glob("*.md")]), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not heading or heading in _headings(file), f"{target}#{heading}"


def _headings(file: Path) -> set[str]:
    """The anchors that a repository's host makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _type_here(command: Command) -> None:
    """Run the program in this process, which has Ray already."""
    result = CliRunner().invoke(app, shlex.split(command.smaller)[1:], catch_exceptions=False)
    assert result.exit_code == 0, f"{command.line}\n{result.output}"


def _type(command: Command, place: Path) -> None:
    """Run any line in a shell, with this Python and this source."""
    program = f"{shlex.quote(sys.executable)} -m gnap_search"
    line = re.sub(r"^gnap-search\b", lambda _: program, command.smaller)
    line = re.sub(r"^(\.venv/bin/)?python\b", lambda _: shlex.quote(sys.executable), line)
    ended = subprocess.run(
        ["bash", "-c", line], cwd=place, env=_environment(place), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command.line}\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}"


def _look_and_leave(command: Command) -> None:
    """Start a server, wait until it says where it is, and press Ctrl-C."""
    words = [sys.executable, "-m", "gnap_search", *shlex.split(command.line)[1:], "--port", "0"]
    environment = _environment(Path.cwd())
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        told = server.stdout.readline()
        server.send_signal(signal.SIGINT)
        assert "http://127.0.0.1:" in told, told
        assert server.wait(60) == 0


def _environment(place: Path) -> dict[str, str]:
    source = place if (place / "gnap_search").is_dir() else ROOT
    return {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def _write_pictures(folder: Path) -> None:
    """Real digits of three kinds as PNG files, in colour as photographs are, one folder a class."""
    from PIL import Image

    digits = datasets.load("digits").train
    for label, name in enumerate(("airplane", "automobile", "frog")):
        (folder / name).mkdir(parents=True)
        for index, pixels in enumerate(digits.images[digits.labels == label][:30, 0]):
            Image.fromarray(pixels).convert("RGB").resize((32, 32)).save(folder / name / f"{index:03}.png")
