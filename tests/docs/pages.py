"""Pages of `docs` as a reader follows them: files to be written, and commands to be typed, in order."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
FOLLOWED = ("quick-start", "own-images", "reading-a-front", "microcontroller", "adding-a-method")

SMALLER = {"--trials": "2", "--epochs": "2", "--seeds": "2"}
"""What a test types instead of a page's values, so that a training takes a moment."""

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w+)(?: (?P<file>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class File:
    """A block with a file's name behind its language: what the reader writes there."""

    path: str
    text: str


@dataclasses.dataclass(frozen=True)
class Command:
    """A line behind `$ `; `reason` says why a test cannot run it, and is empty where it can."""

    line: str
    reason: str

    @property
    def smaller(self) -> str:
        """The same with the values of `SMALLER`."""
        flags = "|".join(SMALLER)
        return re.sub(rf"({flags}) \d+", lambda found: f"{found[1]} {SMALLER[found[1]]}", self.line)


def steps(page: str) -> list[File | Command]:
    """What a page asks for, from top to bottom."""
    found: list[File | Command] = []
    for block in _BLOCK.finditer((DOCS / f"{page}.md").read_text(encoding="utf-8")):
        if block["file"]:
            found.append(File(block["file"], block["text"]))
        elif block["language"] == "console":
            lines = re.findall(r"^\$ (.+)$", block["text"], re.MULTILINE)
            found += [Command(line, block["reason"] or "") for line in lines]
    return found
