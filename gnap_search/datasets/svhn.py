"""SVHN: 99,289 house numbers' digits from street views, colour, 32x32 pixels (Netzer and others, 2011)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits, _torchvision

CLASSES = tuple("0123456789")
PARTS = ("train", "test")  # the 531,131 easier images of "extra" are left out


def load(root: Path, *, download: bool) -> Data:
    """Read it from `root`; 5,000 of the training images become the validation split.

    Raises:
        UserError: a file is missing or damaged, or cannot be downloaded.
    """
    source = _torchvision.kind("SVHN")
    checksums = {Path(file): md5 for _, file, md5 in (source.split_list[part] for part in PARTS)}
    ways = [{"split": part} for part in PARTS]
    train, test = _torchvision.parts("SVHN", root, checksums, ways, download=download)
    given = {"train": _split(train), "test": _split(test)}
    return _splits.complete("svhn", CLASSES, given, ("crop",))


def _split(part: Any) -> Split:
    return Split(np.ascontiguousarray(part.data), part.labels.astype(np.int64))
