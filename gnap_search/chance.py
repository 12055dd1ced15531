"""Chance: what can be had of a data set without learning anything."""

from __future__ import annotations

import math

import numpy as np

from gnap_search.contracts import Data
from gnap_search.front import Front

CLEARLY = 2.0  # standard errors


def unlearnt(front: Front, data: Data) -> str:
    """A sentence for users where no network of a front is clearly better than one answer to all images.

    That answer is the most frequent class of the validation images. Empty where a network is, or none exists.
    """
    labels = data.validation.labels
    counts = np.bincount(labels, minlength=len(data.classes))
    common, share = data.classes[counts.argmax()], float(counts.max() / len(labels))
    clearly = share + CLEARLY * math.sqrt(share * (1 - share) / len(labels))
    if not front.points or front.best.validation_accuracy > clearly:
        return ""
    if front.best.validation_accuracy > share and clearly >= 1:
        return (
            f"Only {len(labels) - counts.max():,} of {len(labels):,} validation images are not {common!r}, "
            "too few to tell whether the networks do better than to call every image that; more images of "
            "the other classes would tell."
        )
    return (
        f"No network does clearly better than to call every image {common!r}, which "
        f"{share:.2%} of the validation images are; "
        "more images, larger ones (--image-size) or more --epochs may help."
    )
