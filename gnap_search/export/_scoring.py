"""Scoring: what a function from images to logits is worth on a split."""

from __future__ import annotations

import numpy as np

from gnap_search.contracts import Predict, Split
from gnap_search.errors import UserError

BATCH = 500  # images at once; the float images of a batch stay below 6 MB at 32 x 32 x 3


def logits(predict: Predict, split: Split, classes: int) -> np.ndarray:
    """Float32 logits, N x classes, for every image of the split.

    Raises:
        UserError: the function gives something else.
    """
    starts = range(0, len(split), BATCH)
    outputs = [predict(as_input(split.images[start : start + BATCH])) for start in starts]
    for output in outputs:
        if output.ndim != 2 or output.shape[1] != classes:
            given = " x ".join(map(str, output.shape[1:])) or "no"
            raise UserError(
                f"The model gives {given} values an image, and the data set has {classes} classes: "
                "evaluate it on the data set that it was made for."
            )
    return np.concatenate(outputs)


def as_input(images: np.ndarray) -> np.ndarray:
    """Uint8 images as what every exported file takes: float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def accuracy(outputs: np.ndarray, split: Split) -> float:
    """The share of images whose greatest logit is that of their label."""
    return float((outputs.argmax(1) == split.labels).mean())
