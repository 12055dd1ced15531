"""Arrays: images and labels of any usual type and layout -> a data set.

Images are uint8, or floating-point numbers from 0 to 1, or bool: N x H x W, N x H x W x C or N x C x H x W
with 1 to 4 channels and sides of 8 pixels at least, so that no side can be taken for the channels. Labels are
N (or N x 1) integers or strings; their distinct values, sorted, are the classes. Or they are positions in a
list of classes, which then keeps its order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _images, _splits
from gnap_search.errors import UserError

CHANNELS = range(1, 5)
LEAST_SIDE = 8  # pixels
SLACK = 1e-3  # beyond 0 and 1, as resizing leaves it in floating-point pixels


def data(
    name: str,
    pairs: Mapping[str, tuple[Any, Any]],
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
) -> Data:
    """A data set of `train` and maybe `validation` and `test`, each given as images and labels.

    What is missing is cut from `train`. With an `image_size` images become squares of that side.

    Raises:
        UserError: they are not what this module's docstring tells, or too few.
    """
    images = {part: _pixels(f"{name}: {part}", pair[0]) for part, pair in pairs.items()}
    _check_same_shape(name, images)
    labels = {part: _labels(f"{name}: {part}", pair[1], len(images[part])) for part, pair in pairs.items()}
    if classes is None:
        names, positions = _in_order(labels)
    else:
        names, positions = list(classes), _positions(name, labels, len(classes))
    _splits.refuse_unwritable(name, names)
    remarks: list[str] = []
    if image_size is not None:  # once all else is known to be in order, for it may take a while
        remarks = _images.told_of_cut(_images.cut_away(images["train"].shape[2:]))
        images = {part: _images.squares(array, image_size) for part, array in images.items()}
    given = {part: Split(images[part], positions[part]) for part in pairs}
    complete = _splits.complete(name, names, given)
    return dataclasses.replace(complete, note="; ".join([_splits.told(complete), *remarks]))


def _in_order(labels: Mapping[str, np.ndarray]) -> tuple[list[str], dict[str, np.ndarray]]:
    """The distinct labels, sorted, and the position of each split's among them."""
    values = np.unique(np.concatenate(list(labels.values())))
    return [str(value) for value in values], {
        part: np.searchsorted(values, given) for part, given in labels.items()
    }


def _positions(name: str, labels: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Labels that are positions in a list of so many classes."""
    for part, given in labels.items():
        if given.dtype.kind not in "iu" or given.min(initial=0) < 0 or given.max(initial=0) >= count:
            raise UserError(
                f"{name}: {part}: labels of type {given.dtype}, {min(given)} to {max(given)}, are no "
                f"positions in a list of {count} classes; they should be integers from 0 to {count - 1}."
            )
    return {part: given.astype(np.int64) for part, given in labels.items()}


def _pixels(what: str, given: Any) -> np.ndarray:
    """Images as uint8, N x C x H x W."""
    array = _array(what, given)
    array = _channels_first(what, array)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        raise UserError(
            f"{what}: images of type {array.dtype} are not understood; they should be uint8, or floats "
            "from 0 to 1."
        )
    if not (array.min() >= -SLACK and array.max() <= 1 + SLACK):
        raise UserError(
            f"{what}: images range from {array.min():g} to {array.max():g}; floating-point pixels must lie "
            "between 0 and 1."
        )
    rounded: np.ndarray = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8, order="C")
    return rounded


def _channels_first(what: str, array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and shape[3] in CHANNELS and shape[1] not in CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if (
        array.ndim != 4
        or array.shape[1] not in CHANNELS
        or min(array.shape[2:]) < LEAST_SIDE
        or not len(array)
    ):
        raise UserError(
            f"{what}: images of shape {shape} are not understood; they should be N x H x W, "
            f"N x H x W x C or N x C x H x W, with 1 to 4 channels and sides of {LEAST_SIDE} pixels at least."
        )
    return array


def _labels(what: str, given: Any, count: int) -> np.ndarray:
    array = _array(what, given)
    if array.dtype.kind not in "iuU" or array.shape not in ((count,), (count, 1)):
        raise UserError(
            f"{what}: labels of type {array.dtype} and shape {array.shape} do not fit {count} images; there "
            "should be one integer or string for each."
        )
    return array.reshape(count)


def _array(what: str, given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as problem:
        raise UserError(f"{what}: {words(given)} is not an array ({problem}).") from None
    return np.asarray(array.astype(str)) if _only_strings(array) else array


def _only_strings(array: np.ndarray) -> bool:
    """Whether it holds Python strings as objects, as a column of a table does."""
    return array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat)


def _check_same_shape(name: str, images: Mapping[str, np.ndarray]) -> None:
    shapes = {part: array.shape[1:] for part, array in images.items()}
    for part, shape in shapes.items():
        if shape != shapes["train"]:
            raise UserError(
                f"{name}: images of {part} are {shape}, those of train {shapes['train']} (C, H, W)."
            )


def words(value: Any) -> str:
    """What kind of thing a value is."""
    return f"a {type(value).__name__}"
