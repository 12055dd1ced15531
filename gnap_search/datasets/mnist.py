"""MNIST: 70,000 handwritten digits, grey, 28x28 pixels (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from pathlib import Path

from gnap_search.contracts import Data
from gnap_search.datasets import _mnist_like

CLASSES = tuple("0123456789")
UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`/MNIST/raw; 5,000 of the training images become the validation split."""
    return _mnist_like.load(
        "mnist",
        "MNIST",
        root,
        augmentation=("affine",),
        classes=CLASSES,
        checksums=UNPACKED,
        download=download,
    )
