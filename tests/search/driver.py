"""A driver in a process of its own, for tests that kill it: python driver.py FOLDER STUDY_TOML [NAME=VALUE].

The names, of which there may be several, are fields of `spec.Launch`. When the study has started, a file
beside its description says so, whose ending is the number of this process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gnap_search import datasets, spec
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.search import launch, nodes


class Told(Quiet):
    """Says what the user should know, and to the tests when the study has started."""

    def __init__(self, started: Path) -> None:
        self._started = started

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        del settled, target, workers, front
        self._started.touch()

    def message(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")


def main(folder: str, study: str, *given: str) -> int:
    asked = spec.Study.read(Path(study))
    place = spec.Launch.model_validate(dict(one.split("=", 1) for one in given))
    nodes.PATIENCE = 8.0  # on this machine a head that is there answers soon, however busy it is
    told = Told(Path(f"{study}.{os.getpid()}"))
    summary = launch.run(asked, Path(folder), place, told, lambda *_: datasets.load(asked.dataset))
    return 130 if summary.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
