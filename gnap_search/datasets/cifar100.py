"""CIFAR-100: 60,000 photographs in 100 classes, colour, 32x32 pixels (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _cifar_like


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/cifar-100-python; 5,000 of the training images become the validation split."""
    return _cifar_like.load("cifar100", "CIFAR100", root, augmentation=("crop", "flip"), download=download)
