"""Timing: how long functions from images to logits take, one by itself or several side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from gnap_search.contracts import Predict

WARM_UP, MOST_CALLS = 5, 200  # of each function: calls that do not count, and calls that do
MOST_SECONDS, MOST_SECONDS_TOGETHER = 1.0, 2.0


def alone(predict: Predict, images: np.ndarray) -> list[float]:
    """Seconds of each of many calls."""
    _warm_up(predict, images)
    seconds: list[float] = []
    while len(seconds) < MOST_CALLS and sum(seconds) < MOST_SECONDS:
        seconds.append(_call(predict, images))
    return seconds


def side_by_side(predicts: Mapping[str, Predict], images: np.ndarray) -> dict[str, float]:
    """Name -> seconds of a call, the median of many.

    All take turns, so that a busy machine slows all of them alike; before a call that counts comes one that
    does not, so that no one finds the processor's caches full of another's.
    """
    for predict in predicts.values():
        _warm_up(predict, images)
    seconds: dict[str, list[float]] = {name: [] for name in predicts}
    start = time.perf_counter()
    for _ in range(MOST_CALLS):
        for name, predict in predicts.items():
            predict(images)
            seconds[name].append(_call(predict, images))
        if time.perf_counter() - start > MOST_SECONDS_TOGETHER:
            break
    return {name: float(np.median(spent)) for name, spent in seconds.items()}


def _warm_up(predict: Predict, images: np.ndarray) -> None:
    for _ in range(WARM_UP):
        predict(images)


def _call(predict: Predict, images: np.ndarray) -> float:
    start = time.perf_counter()
    predict(images)
    return time.perf_counter() - start
