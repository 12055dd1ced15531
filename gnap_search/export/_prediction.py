"""Prediction: what a model file takes pictures of its user's for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from gnap_search.contracts import Predict
from gnap_search.errors import UserError
from gnap_search.export import _formats, _scoring
from gnap_search.structure import Shape
from gnap_search.threads import one_thread

BATCH = 256  # pictures that are read and classified at once
CHANNELS = (1, 3)  # of a picture as it is read: grey, or red, green and blue

Read = Callable[[Path, Shape], np.ndarray | None]
"""Picture, shape -> a batch of this one, uint8 and of that shape; None for what is to be passed over."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The classes that a picture fits best, the best one first, and their probabilities."""

    picture: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def predict(
    model: Path,
    pictures: Sequence[Path],
    read: Read,
    top: int,
    tell: Callable[[str], None],
) -> Iterator[Prediction]:
    """Classify pictures; `tell` hears what users should know.

    Raises:
        UserError: the file is missing, damaged, of no known format, or does not say which images it takes; it
            takes no pictures, or gives something else than a number for each class.
    """
    exporter = _formats.exporter(_formats.format_of(model))
    with one_thread():
        loaded = exporter.load(model, None)
        _refuse_other_channels(model, loaded.shape[0])
        names = loaded.notes.get("classes")
        for start in range(0, len(pictures), BATCH):
            batch = _readable(pictures[start : start + BATCH], read, loaded.shape)
            if not batch:
                continue
            chances = _softmax(_logits(model, loaded.predict, np.concatenate([image for _, image in batch])))
            if names is None or len(names) != chances.shape[1]:
                names = [str(index) for index in range(chances.shape[1])]
                tell(f"{model.name} does not keep the names of its classes, so they are numbered from 0 on.")
            for (picture, _), row in zip(batch, chances, strict=True):
                yield _best(picture, row, names, top)


def _readable(pictures: Sequence[Path], read: Read, shape: Shape) -> list[tuple[Path, np.ndarray]]:
    """Those pictures that are not passed over."""
    images = ((picture, read(picture, shape)) for picture in pictures)
    return [(picture, image) for picture, image in images if image is not None]


def _refuse_other_channels(model: Path, channels: int) -> None:
    if channels not in CHANNELS:
        raise UserError(
            f"{model.name} takes images of {channels} channels, and pictures have 1 or 3: give it its images "
            "in a program of your own."
        )


def _logits(model: Path, predict: Predict, images: np.ndarray) -> np.ndarray:
    """N x classes.

    Raises:
        UserError: the file, which may come from anywhere, gives something else.
    """
    outputs = predict(_scoring.as_input(images))
    shape: tuple[int, ...] = getattr(outputs, "shape", ())
    kind = getattr(outputs, "dtype", type(outputs))
    if len(shape) != 2 or shape[0] != len(images) or not shape[1] or not np.issubdtype(kind, np.number):
        raise UserError(
            f"{model.name} is no classifier of pictures: for a batch of shape {images.shape} it gives {kind} "
            f"of shape {shape}, and should give numbers of shape ({len(images)}, classes)."
        )
    return outputs


def _best(picture: Path, chances: np.ndarray, names: Sequence[str], top: int) -> Prediction:
    order = np.argsort(-chances, kind="stable")[:top].tolist()
    return Prediction(
        picture, tuple(names[index] for index in order), tuple(float(chances[index]) for index in order)
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares
