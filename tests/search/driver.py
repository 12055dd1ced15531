"""A driver in a process of its own, for tests that kill it: python driver.py FOLDER STUDY_TOML [STORAGE]."""

from __future__ import annotations

import sys
from pathlib import Path

from gnap_search import datasets, spec
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.results import Point
from gnap_search.search import launch


class Told(Quiet):
    """Says on a line each what a test waits for."""

    def epoch_ended(self, point: Point, front: Front) -> None:
        del front
        print("epoch", point.id, flush=True)

    def message(self, text: str) -> None:
        print("message", text, flush=True)


def main(folder: str, study: str, storage: str | None = None) -> int:
    asked = spec.Study.read(Path(study))
    summary = launch.run(
        asked, Path(folder), spec.Launch(storage=storage), Told(), lambda *_: datasets.load(asked.dataset)
    )
    return 130 if summary.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
