"""Fashion-MNIST: 70,000 pictures of clothes in 10 classes, grey, 28x28 pixels (Xiao and others, 2017)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _mnist_like


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/FashionMNIST/raw; 5,000 of the training images become the validation split."""
    return _mnist_like.load(
        "fashion-mnist", "FashionMNIST", root, augmentation=("crop", "flip"), download=download
    )
