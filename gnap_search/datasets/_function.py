"""One's own arrays: a function, written as `package.module:function`, that returns images and labels.

It returns `(images, labels)`, or a mapping of `train` and maybe `validation` and `test` to such pairs; what
is missing is cut from `train`. Images are uint8, or floating-point numbers from 0 to 1, or bool: N x H x W,
N x H x W x C or N x C x H x W with 1 to 4 channels and sides of 8 pixels at least, so that no side can be
taken for the channels. Labels are N integers or strings; their distinct values, sorted, are the classes.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import Data, Split
from gnap_search.datasets import _splits
from gnap_search.errors import UserError, nearest

CHANNELS = range(1, 5)
LEAST_SIDE = 8  # pixels
SLACK = 1e-3  # beyond 0 and 1, as resizing leaves it in floating-point pixels


def load(name: str) -> Data:
    """The arrays that `package.module:function` returns; the current directory can be imported from.

    Raises:
        UserError: it cannot be imported, fails, or returns something else than this module's docstring tells.
    """
    pairs = _pairs(name, _call(name))
    images = {part: _images(f"{name}: {part}", pair[0]) for part, pair in pairs.items()}
    labels = {part: _labels(f"{name}: {part}", pair[1], len(images[part])) for part, pair in pairs.items()}
    values = np.unique(np.concatenate(list(labels.values())))
    classes = [str(value) for value in values]
    _splits.refuse_unwritable(name, classes)
    given = {part: Split(images[part], np.searchsorted(values, labels[part])) for part in pairs}
    _check_same_shape(name, given)
    data = _splits.complete(name, classes, given)
    return dataclasses.replace(data, note=_splits.told(data))


def _call(name: str) -> Any:
    """Import and call it; anything may go wrong in the user's code, and is the user's to mend."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return _find(name)()
    except UserError:
        raise
    except Exception as problem:
        raise UserError(f"{name} failed with {type(problem).__name__}: {problem}.") from problem
    finally:
        sys.path.remove(here)


def _find(name: str) -> Callable[[], Any]:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name is None or not f"{module_name}.".startswith(f"{problem.name}."):
            raise  # it is there, and what it imports is not
        raise UserError(f"There is no module {module_name!r} to take {attribute} from.") from None
    function: Callable[[], Any] | None = vars(module).get(attribute)
    if not callable(function):
        functions = [
            key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
        ]
        raise UserError(f"{module_name} has no function {attribute!r}; {nearest(attribute, functions)}")
    return function


def _pairs(name: str, result: Any) -> dict[str, tuple[Any, Any]]:
    """Split -> images and labels."""
    pairs = dict(result) if isinstance(result, Mapping) else {"train": result}
    for part, pair in pairs.items():
        if part not in _splits.NAMES:
            raise UserError(f"{name} returned a split {part!r}; {nearest(str(part), _splits.NAMES)}")
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise UserError(
                f"{name} returned {_words(pair)} for {part}; expected a pair of images and labels, or a "
                "mapping of train, validation and test to such pairs."
            )
    if "train" not in pairs:
        raise UserError(f"{name} returned no train split; it is the one that must be there.")
    return pairs


def _images(what: str, given: Any) -> np.ndarray:
    """Images as uint8, N x C x H x W."""
    array = _array(what, given)
    array = _channels_first(what, array)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        raise UserError(
            f"{what}: images of type {array.dtype} are not understood; return uint8, or floats from 0 to 1."
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
            f"{what}: images of shape {shape} are not understood; return N x H x W, N x H x W x C or "
            f"N x C x H x W, with 1 to 4 channels and sides of {LEAST_SIDE} pixels at least."
        )
    return array


def _labels(what: str, given: Any, count: int) -> np.ndarray:
    array = _array(what, given)
    if array.dtype.kind not in "iuU" or array.shape != (count,):
        raise UserError(
            f"{what}: labels of type {array.dtype} and shape {array.shape} do not fit {count} images; return "
            "one integer or string for each."
        )
    return array


def _array(what: str, given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as problem:
        raise UserError(f"{what}: {_words(given)} is not an array ({problem}).") from None
    return np.asarray(array.astype(str)) if _only_strings(array) else array


def _only_strings(array: np.ndarray) -> bool:
    """Whether it holds Python strings as objects, as a column of a table does."""
    return array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat)


def _check_same_shape(name: str, given: Mapping[str, Split]) -> None:
    shapes = {part: split.images.shape[1:] for part, split in given.items()}
    for part, shape in shapes.items():
        if shape != shapes["train"]:
            raise UserError(
                f"{name}: images of {part} are {shape}, those of train {shapes['train']} (C, H, W)."
            )


def _words(value: Any) -> str:
    return f"a {type(value).__name__}"
