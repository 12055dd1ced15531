"""An `.npz` file, as `numpy.savez` writes it: images and labels, of each split where there are several.

An array's name tells what it holds: `images` (or `x`, `data`) or `labels` (`y`, `targets`), with the split
before or behind it, as in `train_images` or `labels_test`. So MedMNIST's files can be read, and Keras's
`mnist.npz` (`x_train`, `y_train`). Without a split all images are taken together and cut. Strings in an array
`classes` name the classes by their positions. What images and labels may be, `gnap_search.datasets._arrays`
tells; arrays with other names are passed over, and told.
"""

from __future__ import annotations

import dataclasses
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from gnap_search.contracts import Data
from gnap_search.datasets import _arrays, _splits
from gnap_search.errors import UserError

KINDS = {
    **dict.fromkeys(("images", "image", "imgs", "x", "data"), "images"),
    **dict.fromkeys(("labels", "label", "y", "targets", "target"), "labels"),
}
"""A word in an array's name -> what the array holds."""
CLASSES = "classes"
EXPECTED = "expected are images and labels, or train_images, train_labels, test_images and so on"


def load(name: str, file: Path, image_size: int | None = None) -> Data:
    """The arrays of a file; with an `image_size` their images become squares of that side.

    Raises:
        UserError: it cannot be read or holds something else than this module's docstring tells.
    """
    arrays, others = _read(file)
    places = _places(file, [*arrays, *others])
    pairs = {
        part: (arrays[places[part, "images"]], arrays[places[part, "labels"]])
        for part in _splits.NAMES
        if (part, "images") in places
    }
    data = _arrays.data(name, pairs, _classes(file, arrays), image_size)
    note = f"{data.note}; arrays passed over: {', '.join(others)}" if others else data.note
    return dataclasses.replace(data, note=note)


def _read(file: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Name -> array, and the names of those that are passed over; objects, which are pickled, are refused."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            others = sorted(name for name in arrays.files if name != CLASSES and _meant(name) is None)
            return {name: arrays[name] for name in arrays.files if name not in others}, others
    except OSError as problem:
        raise UserError(f"Cannot read {file}: {problem.strerror or problem}.") from None
    except (ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as problem:
        raise UserError(
            f"{file} is not a file of numpy arrays, or is damaged ({problem}); write it with numpy.savez."
        ) from None


def _places(file: Path, names: Iterable[str]) -> dict[tuple[str, str], str]:
    """Split and `images` or `labels` -> the name of that array."""
    places: dict[tuple[str, str], str] = {}
    for name in names:
        if (place := _meant(name)) is None:
            continue
        if place in places:
            raise UserError(f"{file} has both {places[place]} and {name}; keep one of them.")
        places[place] = name
    for part, kind in places:
        other = "labels" if kind == "images" else "images"
        if (part, other) not in places:
            raise UserError(f"{file} has {places[part, kind]} and no {other} for them; {EXPECTED}.")
    if ("train", "images") not in places:
        there = ", ".join(sorted(names)) or "nothing"
        raise UserError(f"{file} holds {there}, and no images to train on; {EXPECTED}.")
    return places


def _meant(name: str) -> tuple[str, str] | None:
    """What an array holds by its name; without a split it is `train`, from which the others are cut."""
    words = re.split(r"[_\W]+", name.lower())
    kinds = [KINDS[word] for word in words if word in KINDS]
    parts = [_splits.PARTS[word] for word in words if word in _splits.PARTS]
    if len(kinds) != 1 or len(parts) > 1 or len(kinds) + len(parts) != len(words):
        return None
    return parts[0] if parts else "train", kinds[0]


def _classes(file: Path, arrays: Mapping[str, np.ndarray]) -> list[str] | None:
    """The names of the classes, where the file has them."""
    names = arrays.get(CLASSES)
    if names is None:
        return None
    if names.dtype.kind != "U" or names.ndim != 1 or len(set(names.tolist())) != len(names):
        raise UserError(
            f"{file}: classes of type {names.dtype} and shape {names.shape} name no classes; they should be "
            "strings, each a different one."
        )
    return [str(label) for label in names]
