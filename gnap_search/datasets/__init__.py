"""Data sets: one file each, and what else `--dataset` takes: a folder, an `.npz` file, one's own function."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gnap_search import catalog
from gnap_search.contracts import Data
from gnap_search.datasets import _splits
from gnap_search.errors import UserError, nearest
from gnap_search.structure import Shape

FUNCTION = re.compile(r"[\w.]+:[\w.]+")
PATH = re.compile(r"[~.]|.*[/\\]")
ARCHIVE = ".npz"  # the ending of a file of arrays


def load(
    name: str,
    root: Path | None = None,
    *,
    moved: Path | None = None,
    image_size: int | None = None,
    training_images: int | None = None,
    validation_images: int | None = None,
    download: bool = True,
) -> Data:
    """The data set behind a name, a path to images, or `package.module:function`.

    A known name wins over a folder of the same name in the current directory; `./mnist` means the folder.
    `root` is where the known ones lie or are downloaded to, by default a cache folder of the user, and
    `moved` where a folder of images, or a file of them, lies now, if that is not where its name says.
    `image_size` is the side in pixels that the images of a folder or a file are resized to. Of the training
    split only `training_images` are kept; of the validation split only `validation_images`, and its others
    are trained on too. Both choices are the same ones every time; the test split is what it is.

    Raises:
        UserError: the name is unknown, or the data are missing, damaged, too few or unsuitable.
    """
    data = _whole(name, root, moved, image_size, download=download)
    if training_images is not None:
        data = _splits.with_training_images(data, training_images)
    return data if validation_images is None else _splits.with_validation_images(data, validation_images)


def with_validation_trained_on(data: Data) -> Data:
    """The data with one validation image a class, the same ones every time, and the others trained on.

    Raises:
        UserError: there is no other one.
    """
    if len(data.validation) <= len(data.classes):
        raise UserError(
            f"{data.name} has {len(data.validation)} validation images for {len(data.classes)} classes, none "
            "of which can be spared for training."
        )
    return _splits.with_validation_images(data, len(data.classes))


def pictures(places: Sequence[Path]) -> list[Path]:
    """The image files that are named, and those below the folders that are named.

    Raises:
        UserError: something named is not there, or a folder holds no image.
    """
    from gnap_search.datasets import _images

    return _images.find(places)


def read_pictures(paths: Sequence[Path], shape: Shape) -> np.ndarray:
    """Image files of any size and kind as uint8 images of a shape, N x C x H x W.

    Raises:
        UserError: one is not a readable image.
    """
    from gnap_search.datasets import _images

    return _images.read_as(paths, shape)


def labelled(name: str, shape: Shape, classes: Sequence[str] = ()) -> Data:
    """All images of a folder, as images of a shape, in the place of the test split; the others are empty.

    Its splits, if it has some, are taken together. Classes may be missing; without `classes` they are those
    that there are.

    Raises:
        UserError: there is no such folder or no image in it, a class is unknown, or a file unreadable.
    """
    from gnap_search.datasets import _folder

    if (images := folder(name)) is None:
        raise UserError(_unknown(name, None))
    return _folder.labelled(name, images, shape, classes)


def place(name: str) -> Path | None:
    """The folder or `.npz` file that a data set's name means, where there is one."""
    return folder(name) or _archive_file(name)


def folder(name: str) -> Path | None:
    """The folder that a data set's name means, where there is one."""
    where = os.path.expanduser(name)  # leaves an unknown ~user as it is, where pathlib raises
    return Path(where) if name and os.path.isdir(where) else None  # and this is False for whatever cannot be


def kind(name: str) -> str:
    """What a path would be, whether it is there or not: a file or a folder."""
    return "file" if name.lower().endswith(ARCHIVE) else "folder"


def _archive_file(name: str) -> Path | None:
    where = os.path.expanduser(name)
    return Path(where) if kind(where) == "file" and os.path.isfile(where) else None


def refuse_within(name: str, place: Path, flag: str) -> None:
    """See that what will be written to a place does not become a part of the data set.

    Raises:
        UserError: it would; `flag` is where another place is named.
    """
    if name in catalog.names("datasets") or FUNCTION.fullmatch(name):
        return
    if (images := folder(name)) is not None:
        from gnap_search.datasets import _folder

        _folder.refuse_within(images, place, flag)


def cache() -> Path:
    """Where downloaded data sets lie unless another folder is named."""
    from platformdirs import user_cache_path

    return user_cache_path("gnap-search")


def _whole(
    name: str, root: Path | None, moved: Path | None, image_size: int | None, *, download: bool
) -> Data:
    """The data set with all of its images."""
    if name in catalog.names("datasets"):
        place = Path(os.path.expanduser(root or cache()))
        data: Data = catalog.implementation("datasets", name).load(place, download=download)
        return _of_size(data, image_size)
    if FUNCTION.fullmatch(name):
        from gnap_search.datasets import _function

        return _of_size(_function.load(name), image_size)
    if (images := folder(str(moved or name))) is not None:
        from gnap_search.datasets import _folder

        return _folder.load(name, images, image_size)
    if (file := _archive_file(str(moved or name))) is not None:
        from gnap_search.datasets import _archive

        return _archive.load(name, file, image_size)
    raise UserError(_unknown(name, moved))


def _unknown(name: str, moved: Path | None) -> str:
    where = str(moved or name)
    expected = "is a folder with a subfolder of images for each class, or an .npz file of arrays"
    if os.path.isfile(os.path.expanduser(where)):
        return f"{where} is a file; a data set {expected}."
    if moved or PATH.match(name) or kind(name) == "file":
        return f"There is no {kind(where)} {where}; a data set of images {expected}."
    return (
        f"Unknown data set {name!r}; {nearest(name, catalog.names('datasets'))} A folder of images or a file "
        "is written as a path (./photos), a function of your own as package.module:function."
    )


def _of_size(data: Data, image_size: int | None) -> Data:
    """The data, if their images happen to be of the asked size, or no size was asked for."""
    _, height, width = data.shape
    if image_size not in (None, height) or image_size not in (None, width):
        raise UserError(
            f"The images of {data.name} are {height}x{width} pixels and only a folder's images are resized, "
            "and those of an .npz file; leave the image size out."
        )
    return data
