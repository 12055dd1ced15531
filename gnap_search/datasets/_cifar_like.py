"""Data sets in CIFAR's format: pickled batches, whose checksums torchvision compares before it opens them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits, _torchvision


def load(name: str, kind: str, root: Path, *, augmentation: tuple[str, ...], download: bool) -> Data:
    """The data set that torchvision calls `kind`.

    Raises:
        UserError: a file is missing or damaged, or cannot be downloaded.
    """
    source = _torchvision.kind(kind)
    listed = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
    checksums = {Path(source.base_folder) / file: md5 for file, md5 in listed}
    ways = [{"train": True}, {"train": False}]
    train, test = _torchvision.parts(kind, root, checksums, ways, download=download)
    given = {"train": _split(train.data, train.targets), "test": _split(test.data, test.targets)}
    return _splits.complete(name, train.classes, given, augmentation)


def _split(images: np.ndarray, labels: list[int]) -> Split:
    """From torchvision's N x H x W x C, which is a view of the file's own channels-first order."""
    return Split(np.ascontiguousarray(images.transpose(0, 3, 1, 2)), np.array(labels, np.int64))
