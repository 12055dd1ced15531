"""A folder of images: a subfolder for each class, all together or in `train`, `validation` and `test`.

`val` and `valid` mean `validation`. What is missing is cut from `train`. Files count by their suffix, in
nested folders too; hidden files and folders and files that are not images are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _images, _splits
from gnap_search.errors import UserError

PARTS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

Listing = dict[str, list[Path]]
"""Class -> its image files, both sorted."""


def load(name: str, folder: Path, image_size: int | None = None) -> Data:
    """The images below a folder, resized as `gnap_search.datasets._images.read` tells.

    Raises:
        UserError: there are no images, or one class only, or too few in a class; the splits have different
            classes; a file is unreadable.
    """
    listings = {part: _list(place) for part, place in _parts(folder).items()}
    classes = list(listings["train"])
    _check(folder, listings)
    files = {
        part: [path for paths in listing.values() for path in paths] for part, listing in listings.items()
    }
    pixels = _images.read([path for paths in files.values() for path in paths], image_size)
    given, start = {}, 0
    for part, listing in listings.items():
        labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in listing.values()])
        given[part] = Split(pixels[start : start + len(labels)], labels)
        start += len(labels)
    return _splits.complete(name, classes, given)


def _parts(folder: Path) -> dict[str, Path]:
    """Split -> folder; `train` alone where the classes (one may be called train) lie in it."""
    named: dict[str, Path] = {}
    subfolders = _subfolders(folder)
    for place in subfolders:
        part = PARTS.get(place.name)
        if part in named:
            raise UserError(f"{folder} has both {named[part].name} and {place.name}; keep one of them.")
        if part is not None:
            named[part] = place
    if "train" in named and _subfolders(named["train"]):
        return named
    if named and len(named) == len(subfolders):
        raise UserError(f"{folder} needs a train folder with a subfolder of images for each class.")
    return {"train": folder}


def _list(folder: Path) -> Listing:
    """The classes of a folder and their images."""
    return {place.name: _images.below(place) for place in _subfolders(folder)}


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not _images.hidden(one.name))
    except OSError as problem:
        raise UserError(f"Cannot read {folder}: {problem.strerror}.") from None


def _check(folder: Path, listings: Mapping[str, Listing]) -> None:
    if not any(paths for listing in listings.values() for paths in listing.values()):
        raise UserError(
            f"There are no images in subfolders of {folder}; it needs one subfolder of images "
            f"({', '.join(sorted(_images.SUFFIXES))}) for each class."
        )
    classes = listings["train"].keys()
    _refuse_unwritable(folder, classes)
    for part, listing in listings.items():
        if difference := sorted(listing.keys() ^ classes):
            place = part if difference[0] in listing else "train"
            raise UserError(
                f"{folder}: class {difference[0]!r} is in {place} alone; splits must have the same classes."
            )
        if empty := [name for name, paths in listing.items() if not paths]:
            raise UserError(f"{folder}: class {empty[0]!r} of {part} has no images; add some or remove it.")


def _refuse_unwritable(folder: Path, classes: Iterable[str]) -> None:
    """A class whose name is not UTF-8, as old archives leave it, could stand in no model file."""
    for name in classes:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(f"{folder}: the name of class {name!r} is not UTF-8; rename it.") from None
