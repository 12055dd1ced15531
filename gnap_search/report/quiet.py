"""Quiet: the listener that nobody reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gnap_search.front import Front
from gnap_search.results import Point


class Quiet:
    """Hears everything and says nothing."""

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        pass

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        pass

    def epoch_ended(self, point: Point, front: Front) -> None:
        pass

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        pass

    def message(self, text: str) -> None:
        pass


class Herald(Quiet):
    """Passes messages on, and nothing else."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def message(self, text: str) -> None:
        self._tell(text)
