"""A driver in a process of its own, for tests that kill it: python driver.py FOLDER STUDY_TOML [STORAGE]."""

from __future__ import annotations

import sys
from pathlib import Path

from gnap_search import datasets, spec
from gnap_search.report.quiet import Quiet
from gnap_search.search import launch


class Told(Quiet):
    """Says what the user should know."""

    def message(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")


def main(folder: str, study: str, storage: str | None = None) -> int:
    asked = spec.Study.read(Path(study))
    summary = launch.run(
        asked, Path(folder), spec.Launch(storage=storage), Told(), lambda *_: datasets.load(asked.dataset)
    )
    return 130 if summary.interrupted else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
