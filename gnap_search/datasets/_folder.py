"""A folder of images: a subfolder for each class, all together or in `train`, `validation` and `test`.

These may have other usual names, `Training` or `val`. What is missing is cut from `train`. Files count by
their suffix, in nested folders too. Hidden ones are passed over; so are files that are not images or in no
class, and these are told.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gnap_search.contracts import Data, Split, digest
from gnap_search.datasets import _images, _splits
from gnap_search.errors import UserError
from gnap_search.structure import Shape

MOST_KINDS = 3  # of files that are passed over; the others are told together

Listing = dict[str, list[Path]]
"""Class -> its files, both sorted."""


def load(name: str, folder: Path, image_size: int | None = None) -> Data:
    """The images below a folder, resized as `gnap_search.datasets._images.read` tells.

    Raises:
        UserError: there are no images, or one class only, or too few in a class; the splits have different
            classes, or are not known as such; a file is unreadable.
    """
    parts = _parts(folder)
    found = {part: _list(place) for part, place in parts.items()}
    listings = {part: _images_of(listing) for part, listing in found.items()}
    classes = list(listings["train"])
    _check(folder, parts, listings)
    remarks: list[str] = []
    files = [path for listing in listings.values() for paths in listing.values() for path in paths]
    pixels = _images.read(files, image_size, remarks.append)
    given, start = {}, 0
    for part, listing in listings.items():
        labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in listing.values()])
        given[part] = Split(pixels[start : start + len(labels)], labels)
        start += len(labels)
    if len(given) < len(_splits.NAMES):  # a cut would put copies of an image on both of its sides
        read = len(given["train"])
        given["train"] = _splits.without_copies(given["train"])
        if copies := read - len(given["train"]):
            remarks.append(f"copies of other images passed over: {copies:,}")
    data = _splits.complete(name, classes, given)
    remarks += _passed_over(folder, parts, found)
    return dataclasses.replace(data, note="; ".join([_splits.told(data), *remarks]))


def labelled(name: str, folder: Path, shape: Shape, classes: Sequence[str]) -> Data:
    """All images of a folder as `test` images of a shape; without `classes` these are those that there are.

    Raises:
        UserError: there are no images, one is unreadable, or a class is not among these.
    """
    listing: Listing = {}
    for place in _all_parts(folder):
        for label, paths in _images_of(_list(place)).items():
            listing.setdefault(label, []).extend(paths)
    _refuse_empty(folder, [listing])
    names = tuple(classes) or tuple(sorted(listing))
    if unknown := sorted(label for label, paths in listing.items() if paths and label not in names):
        raise UserError(f"{folder} has a class {unknown[0]!r}; known are {', '.join(names)}.")
    files = [path for paths in listing.values() for path in paths]
    labels = [names.index(label) for label, paths in listing.items() for _ in paths]
    test = Split(_images.read_as(files, shape), np.array(labels, dtype=np.int64))
    none = Split(test.images[:0], test.labels[:0])
    return Data(name, names, train=none, validation=none, test=test, augmentation=(), digest=digest([test]))


def _all_parts(folder: Path) -> list[Path]:
    """The folders that hold the classes: the splits, whichever there are, or the folder itself."""
    splits = [place for place in _subfolders(folder) if place.name.lower() in _splits.PARTS]
    return [place for place in splits if _subfolders(place)] or [folder]


def refuse_within(folder: Path, place: Path, flag: str) -> None:
    """See that what will be written to a place is not among what is read.

    Raises:
        UserError: it is, or would be the next time.
    """
    real = place.resolve()
    for part in map(Path.resolve, _parts(folder).values()):
        if real.is_relative_to(part) and not any(map(_images.hidden, real.relative_to(part).parts)):
            raise UserError(
                f"{place} lies in the data set {folder}, and what is written there would be read as a class; "
                f"name another place with {flag}."
            )


def _parts(folder: Path) -> dict[str, Path]:
    """Split -> folder; `train` alone where the classes (one may be called train) lie in it."""
    named: dict[str, Path] = {}
    subfolders = _subfolders(folder)
    for place in subfolders:
        part = _splits.PARTS.get(place.name.lower())
        if part in named:
            raise UserError(f"{folder} has both {named[part].name} and {place.name}; keep one of them.")
        if part is not None:
            named[part] = place
    if "train" in named and _subfolders(named["train"]):
        return named
    if named and len(named) == len(subfolders):
        raise UserError(f"{folder} needs a train folder with a subfolder of images for each class.")
    _refuse_unknown_splits(folder, subfolders)
    return {"train": folder}


def _refuse_unknown_splits(folder: Path, subfolders: list[Path]) -> None:
    """Splits of a name that is not known, as seg_train and seg_test, would be taken for classes."""
    inner = [{place.name for place in _subfolders(one)} for one in subfolders]
    outer = " and ".join(place.name for place in subfolders[:2])
    if any(inner) and {"train", "test"} <= {part for place in subfolders for part in _hinted(place.name)}:
        raise UserError(
            f"The subfolders of {folder}, {outer} among them, look like splits, by their names; call them "
            "train, val and test, with the folders of the classes right in them."
        )
    if len(inner) < 2 or len(inner[0]) < 2 or any(names != inner[0] for names in inner):
        return
    if all(name.lower() in _splits.PARTS for name in inner[0]):
        example = subfolders[0].name
        raise UserError(
            f"{folder} has its splits inside of its classes ({outer}); put classes into splits, as "
            f"train/{example} and test/{example}."
        )
    if any("train" in place.name.lower() for place in subfolders):
        raise UserError(
            f"The subfolders of {folder}, {outer} among them, look like splits, because all have the same "
            "subfolders; call them train, val and test, or, if they are classes, move their images up."
        )


def _hinted(name: str) -> set[str]:
    """The splits that a part of a folder's name is a usual name of, as in training_set or seg_test."""
    return {_splits.PARTS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _splits.PARTS}


def _list(folder: Path) -> Listing:
    """The classes of a folder and all of their files."""
    return {place.name: _images.files(place) for place in _subfolders(folder)}


def _images_of(listing: Listing) -> Listing:
    return {name: list(filter(_images.is_image, paths)) for name, paths in listing.items()}


def _subfolders(folder: Path) -> list[Path]:
    return [place for place in _visible(folder) if place.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """What lies right in a folder, sorted."""
    try:
        return sorted(place for place in folder.iterdir() if not _images.hidden(place.name))
    except OSError as problem:
        raise UserError(f"Cannot read {folder}: {problem.strerror}.") from None


def _check(folder: Path, parts: Mapping[str, Path], listings: Mapping[str, Listing]) -> None:
    _refuse_empty(folder, listings.values())
    classes = listings["train"].keys()
    _splits.refuse_unwritable(str(folder), classes)
    _refuse_wrapper(folder, parts["train"], list(classes))
    for part, listing in listings.items():
        if not listing:
            raise UserError(
                f"{parts[part]} has no subfolders, and so no classes; sort its images into some, or move it "
                f"elsewhere: then a part of train is the {part} split."
            )
        if difference := sorted(listing.keys() ^ classes):
            place = part if difference[0] in listing else "train"
            raise UserError(
                f"{folder}: class {difference[0]!r} is in {place} alone; splits must have the same classes."
            )
        if empty := [name for name, paths in listing.items() if not paths]:
            raise UserError(
                f"{folder}: class {empty[0]!r} of {part} has no images; add some or move it elsewhere."
            )


def _refuse_empty(folder: Path, listings: Iterable[Listing]) -> None:
    if not any(paths for listing in listings for paths in listing.values()):
        raise UserError(
            f"There are no images in subfolders of {folder}; it needs one subfolder of images "
            f"({', '.join(sorted(_images.SUFFIXES))}) for each class."
        )


def _refuse_wrapper(folder: Path, train: Path, classes: list[str]) -> None:
    """One folder around all others, as archives have it, is no class."""
    if len(classes) == 1 and len(_subfolders(train / classes[0])) > 1:
        only = train / classes[0]
        advice = f"name {only} as the data set" if train == folder else f"move them into {train} itself"
        raise UserError(
            f"{train} has one subfolder only; if the classes are the subfolders of that, {advice}."
        )


def _passed_over(folder: Path, parts: Mapping[str, Path], found: Mapping[str, Listing]) -> Iterator[str]:
    """What lies in a data set's folder and is not in the data, in words."""
    kinds = Counter(
        path.suffix.lower() or "without suffix"
        for listing in found.values()
        for paths in listing.values()
        for path in paths
        if not _images.is_image(path)
    )
    loose = [
        path for place in {folder, *parts.values()} for path in _visible(place) if _images.is_image(path)
    ]
    if loose:
        kinds["in no class"] = len(loose)
    if kinds:
        most = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(MOST_KINDS))
        yield f"{kinds.total():,} files passed over ({most}{', ...' if len(kinds) > MOST_KINDS else ''})"
    if folder not in parts.values():
        others = [place.name for place in _subfolders(folder) if place not in parts.values()]
        if others:
            yield f"folders passed over: {', '.join(others)}"
