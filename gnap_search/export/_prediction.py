"""Prediction: what a model file takes pictures of its user's for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from gnap_search import catalog
from gnap_search.contracts import ExporterModule
from gnap_search.export import _scoring
from gnap_search.export._evaluation import format_of
from gnap_search.structure import Shape
from gnap_search.threads import one_thread

BATCH = 256  # pictures that are read and classified at once


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The classes that a picture fits best, the best one first, and their probabilities."""

    picture: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def predict(
    model: Path,
    pictures: Sequence[Path],
    read: Callable[[Sequence[Path], Shape], np.ndarray],
    top: int,
    tell: Callable[[str], None],
) -> Iterator[Prediction]:
    """Classify pictures; `read` gives them as uint8 images of a shape, `tell` hears what users should know.

    Raises:
        UserError: the file is missing, damaged, of no known format, or does not say which images it takes.
    """
    exporter = cast(ExporterModule, catalog.implementation("export", format_of(model)))
    with one_thread():
        loaded = exporter.load(model, None)
        names = loaded.notes.get("classes")
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            chances = _softmax(loaded.predict(_scoring.as_input(read(batch, loaded.shape))))
            if names is None or len(names) != chances.shape[1]:
                names = [str(index) for index in range(chances.shape[1])]
                tell(f"{model.name} does not keep the names of its classes, so they are numbered from 0 on.")
            yield from (_best(picture, row, names, top) for picture, row in zip(batch, chances, strict=True))


def _best(picture: Path, chances: np.ndarray, names: Sequence[str], top: int) -> Prediction:
    order = np.argsort(-chances, kind="stable")[:top].tolist()
    return Prediction(
        picture, tuple(names[index] for index in order), tuple(float(chances[index]) for index in order)
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares
