"""Digits: scikit-learn's bundled 1,797 handwritten digits, grey, 8x8 pixels (Alpaydin and Kaynak, 1998)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits
from gnap_search.errors import UserError

SIDE = 8  # pixels
LEVELS = 16  # a pixel counts the dark ones among 4x4 of the original bitmap
SHARES = _splits.Shares(validation=360, test=360)


def load(root: Path, *, download: bool) -> Data:
    """1,077 images to train, 360 to validate, 360 to test; nothing is read from `root` or downloaded."""
    del root, download
    rows = np.loadtxt(_file(), delimiter=",")
    images = np.rint(rows[:, :-1] * (255 / LEVELS)).astype(np.uint8).reshape(-1, 1, SIDE, SIDE)
    whole = Split(images, rows[:, -1].astype(np.int64))
    return _splits.complete("digits", tuple("0123456789"), {"train": whole}, ("affine",), SHARES)


def _file() -> Path:
    """The table in scikit-learn's folder: one image a row, its label last. Its import would take a second."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise UserError("The digits come with scikit-learn; install it, or take another data set.")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
