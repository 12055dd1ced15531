"""KMNIST: 70,000 Japanese characters in 10 classes, grey, 28x28 pixels (Clanuwat and others, 2018)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _mnist_like


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/KMNIST/raw; 5,000 of the training images become the validation split."""
    return _mnist_like.load("kmnist", "KMNIST", root, augmentation=("affine",), download=download)
