"""Digits: scikit-learn's bundled 1,797 handwritten digits, grey, 8x8 pixels (Alpaydin and Kaynak, 1998)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits

LEVELS = 16  # a pixel counts the dark ones among 4x4 of the original bitmap
SHARES = _splits.Shares(validation=360, test=360)


def load(root: Path, *, download: bool) -> Data:
    """1,077 images to train, 360 to validate, 360 to test; nothing is read from `root` or downloaded."""
    del root, download
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / LEVELS)).astype(np.uint8)[:, None]
    whole = Split(images, digits.target.astype(np.int64))
    return _splits.complete("digits", tuple("0123456789"), {"train": whole}, ("affine",), SHARES)
