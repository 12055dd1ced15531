"""Pace: how often workers report, so that the driver keeps up with all of them."""

from __future__ import annotations

LEAST = 1.0  # seconds of training between two reports of a worker
REPORTS_A_SECOND = 20.0  # of all workers together; each costs the driver some ms, most of them Ray's own


def between_reports(workers: int) -> float:
    """The seconds that each of so many workers trains before it reports: longer, where they are many."""
    return max(LEAST, workers / REPORTS_A_SECOND)
