"""Timing: how long functions from images to logits take, side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from gnap_search.contracts import Predict

WARM_UP, MOST_ROUNDS, MOST_SECONDS = 5, 200, 2.0


def side_by_side(predicts: Mapping[str, Predict], images: np.ndarray) -> dict[str, float]:
    """Name -> seconds of a call, the median of many.

    All take turns, so that a busy machine slows all of them alike; before a call that counts comes one that
    does not, so that no one finds the processor's caches full of another's.
    """
    for predict in predicts.values():
        for _ in range(WARM_UP):
            predict(images)
    seconds: dict[str, list[float]] = {name: [] for name in predicts}
    start = time.perf_counter()
    for _ in range(MOST_ROUNDS):
        for name, predict in predicts.items():
            predict(images)
            begin = time.perf_counter()
            predict(images)
            seconds[name].append(time.perf_counter() - begin)
        if time.perf_counter() - start > MOST_SECONDS:
            break
    return {name: float(np.median(spent)) for name, spent in seconds.items()}
