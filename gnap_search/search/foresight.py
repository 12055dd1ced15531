"""Foresight: whether a study's time is long enough for a training, known as soon as one has begun."""

from __future__ import annotations

from gnap_search.results import Point

MARGIN = 1.25  # of the time, for what comes before the first epoch and after the last one
LONG = 20.0  # seconds of an epoch, beside which it does not count what a first one takes to begin


class Foresight:
    """Judges a study by the first epochs of it, once; `timeout` is in seconds, and 0 is no limit."""

    def __init__(self, epochs: int, timeout: float) -> None:
        self._epochs, self._timeout = epochs, timeout
        self._wanted = bool(timeout)

    def warning(self, point: Point) -> str | None:
        """A sentence for the user, after an epoch, where no training will be over in time."""
        if not self._wanted or (point.epoch == 1 and point.seconds < LONG):
            return None
        self._wanted = False
        if self._epochs * point.seconds <= self._timeout:
            return None
        fewer = fitting(point.seconds, self._timeout)
        return (
            f"a training of {self._epochs} epochs takes about {_time(self._epochs * point.seconds)} here, "
            f"and --timeout gives {_time(self._timeout)}: with --epochs {fewer}, or on fewer "
            "--training-images, it would come to its end"
        )


def fitting(seconds: float, timeout: float) -> int:
    """How many epochs of so many seconds there is time for."""
    return max(1, int(timeout / (MARGIN * seconds)))


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
