"""CIFAR-10: 60,000 photographs in 10 classes, colour, 32x32 pixels (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _cifar_like


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/cifar-10-batches-py; 5,000 of the training images become the validation split."""
    return _cifar_like.load("cifar10", "CIFAR10", root, augmentation=("crop", "flip"), download=download)
