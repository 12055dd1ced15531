"""Foresight: whether a study's time is long enough for its trainings, known as soon as one has begun."""

from __future__ import annotations

from gnap_search.results import Point

SEVERAL = 3  # trainings, one after the other, that should come to their end
LONG = 20.0  # seconds of an epoch, beside which it does not count what a first one takes to begin


class Foresight:
    """Judges a study by the first epochs of it, once; `timeout` is in seconds, and 0 is no limit."""

    def __init__(self, epochs: int, timeout: float) -> None:
        self._epochs, self._timeout = epochs, timeout
        self._wanted = bool(timeout)

    def warning(self, point: Point) -> str | None:
        """A sentence for the user, after an epoch, where no several trainings will be over in time."""
        if not self._wanted or (point.epoch == 1 and point.seconds < LONG):
            return None
        self._wanted = False
        if SEVERAL * self._epochs * point.seconds <= self._timeout:
            return None
        fewer = max(1, int(self._timeout / (SEVERAL * point.seconds)))
        return (
            f"a training of {self._epochs} epochs takes about {_time(self._epochs * point.seconds)} here, "
            f"and --timeout gives {_time(self._timeout)}: with --epochs {fewer}, or longer on fewer "
            "--training-images, several would come to their end"
        )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
