"""Given: what a study begins with besides its space: trials of another study, and what to train first.

Both are in the run folder before the first of them reaches Optuna, and every trial that comes of them bears
its place there. So what a killed driver did not come to is done by the next one, and nothing is done twice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gnap_search import files
from gnap_search.errors import UserError
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.settings import Value

FILE = "given.json"


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where a study is to be given something from: another study, and a file of configurations."""

    study: Run | None = None
    file: Path | None = None


@dataclasses.dataclass(frozen=True)
class Known:
    """A finished trial of another study: what it has of the searched settings, and its last point."""

    study: str
    settings: Mapping[str, Value]
    point: Point


@dataclasses.dataclass(frozen=True)
class Given:
    """All that a study was given so far; what stands in it keeps its place.

    `enqueued` has the searched settings that a configuration fixes; the sampler draws the others.
    """

    known: tuple[Known, ...] = ()
    enqueued: tuple[Mapping[str, Value], ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What a run folder keeps.

        Raises:
            UserError: the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(map(_known, kept["known"])), tuple(kept["enqueued"]))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} is damaged; restore it, or delete it to go on without.") from None

    def keep(self, folder: Path) -> None:
        """Write it into a run folder."""
        files.replace(folder / FILE, json.dumps(dataclasses.asdict(self), indent=1))

    def and_more(self, other: Given) -> Given:
        """This and what else is in the other one."""
        known = [one for one in other.known if one not in self.known]
        enqueued = [one for one in other.enqueued if one not in self.enqueued]
        return Given((*self.known, *known), (*self.enqueued, *enqueued))


def _known(kept: Mapping[str, Any]) -> Known:
    return Known(kept["study"], kept["settings"], Point.from_json(json.dumps(kept["point"])))
