"""What every format asks of its runtime: to be installed, to be silent, to take these images."""

from __future__ import annotations

import contextlib
import importlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gnap_search.contracts import Predict
from gnap_search.errors import UserError
from gnap_search.structure import Shape


def require(*libraries: str) -> None:
    """Import the libraries of an optional format.

    Raises:
        UserError: one is not installed; the command that installs it is told.
    """
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError:
            raise UserError(
                f"This format needs {library}, which is not installed: pip install 'gnap-search[export]'"
            ) from None


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep warnings and log lines of a runtime, which its own errors repeat, off the user's screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def images_of(path: Path, takes: tuple[object, ...], shape: Shape | None) -> Shape:
    """The images that a file is to be used for: those at hand, or else the only ones that it takes.

    In `takes`, whole numbers are sizes, and anything else means any size.

    Raises:
        UserError: they do not fit, or the file takes some of any size and none are at hand.
    """
    if shape is None:
        channels, height, width = takes
        if not (isinstance(channels, int) and isinstance(height, int) and isinstance(width, int)):
            raise UserError(
                f"{path.name} takes images of any size and does not say which it was made for, so pictures "
                "cannot be made to fit: take a file that gnap-search exported."
            )
        return channels, height, width
    fits = len(takes) == len(shape) and all(
        taken == given for taken, given in zip(takes, shape, strict=True) if isinstance(taken, int)
    )
    if not fits:
        wanted = " x ".join(str(size) if isinstance(size, int) else "any" for size in takes)
        raise UserError(
            f"{path.name} takes images of {wanted} (channels x height x width), and this data set's are "
            f"{' x '.join(map(str, shape))}: evaluate it on the data set that it was made for."
        )
    return shape


def in_batches_of(size: int, predict: Predict) -> Predict:
    """`predict`, for a file that takes exactly `size` images at once: the last batch is filled up."""

    def predict_any(images: np.ndarray) -> np.ndarray:
        missing = -len(images) % size
        filled = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        batches = [predict(filled[start : start + size]) for start in range(0, len(filled), size)]
        return np.concatenate(batches)[: len(images)]

    return predict_any
