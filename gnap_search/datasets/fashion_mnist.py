"""Fashion-MNIST: 70,000 pictures of clothes in 10 classes, grey, 28x28 pixels (Xiao and others, 2017)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _mnist_like

UNPACKED = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/FashionMNIST/raw; 5,000 of the training images become the validation split."""
    return _mnist_like.load(
        "fashion-mnist",
        "FashionMNIST",
        root,
        augmentation=("crop", "flip"),
        checksums=UNPACKED,
        download=download,
    )
