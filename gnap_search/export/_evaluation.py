"""Evaluation: what a model file is worth and what it costs, whoever wrote it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import Data, Split, SplitName
from gnap_search.errors import UserError
from gnap_search.export import _formats, _scoring, _timing
from gnap_search.export._size import Size
from gnap_search.structure import Shape
from gnap_search.structure.cost import Cost
from gnap_search.threads import one_thread


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model file on one split of a data set, and on this processor with one thread.

    `accuracy` lies in [0, 1], `memory` is in bytes (see `LoadedModel`). The latencies are those of one image
    at a time, median and 95th percentile; `images_per_second` is reached with 64 at a time. Each includes the
    way from numpy and back. `doubt` says, where it is not empty, why the accuracy may be too good.
    """

    path: Path
    format: str
    split: SplitName
    images: int
    accuracy: float
    cost: Cost
    memory: int
    size: Size
    latency_median_seconds: float
    latency_p95_seconds: float
    images_per_second: float
    doubt: str = ""


def evaluate(path: Path, data: Data, split: SplitName = "test") -> Evaluation:
    """Score and time a model file of any known format; an ONNX file may come from anywhere.

    It must take float32 images in [0, 1], N x C x H x W, of the data set's own size, and give a logit for
    each of its classes.

    Raises:
        UserError: the file is missing, damaged, of no known format, or made for other images or classes.
    """
    name = _formats.format_of(path)
    chosen = data.part(split)
    with one_thread():
        loaded = _formats.exporter(name).load(path, data.shape)
        _refuse_other_classes(path, loaded.notes, data)
        outputs = _scoring.logits(loaded.predict, chosen, len(data.classes))
        single = _timing.alone(loaded.predict, _batch(chosen, 1))
        batched = _timing.alone(loaded.predict, _batch(chosen, 64))
    return Evaluation(
        path=path,
        format=name,
        split=split,
        images=len(chosen),
        accuracy=_scoring.accuracy(outputs, chosen),
        cost=loaded.cost,
        memory=loaded.memory,
        size=Size.of(path),
        latency_median_seconds=float(np.median(single)),
        latency_p95_seconds=float(np.percentile(single, 95)),
        images_per_second=64 / float(np.median(batched)),
        doubt=_doubt(loaded.notes, data, split),
    )


def made_for(path: Path) -> tuple[Shape, tuple[str, ...]]:
    """The shape of the images that a file takes, and its classes; none where it keeps no names of them.

    Raises:
        UserError: the file is missing, damaged or of no known format, or does not say which images it takes.
    """
    exporter = _formats.exporter(_formats.format_of(path))
    with one_thread():
        loaded = exporter.load(path, None)
    return loaded.shape, tuple(map(str, loaded.notes.get("classes", ())))


def side_of(path: Path) -> int | None:
    """The side of the square images that a file takes; None where it takes others, or does not say.

    Raises:
        UserError: there is no such file, or no format has its ending.
    """
    _formats.format_of(path)
    with contextlib.suppress(UserError):  # what is wrong with it is told once it has images
        (_, height, width), _classes = made_for(path)
        return height if height == width else None
    return None


def _refuse_other_classes(path: Path, notes: Mapping[str, Any], data: Data) -> None:
    """Labels are places in a list of names: with another list, accuracy would say nothing."""
    names = notes.get("classes")
    if isinstance(names, list) and names != list(data.classes):
        raise UserError(
            f"{path.name} has the classes {', '.join(map(str, names))} and {data.name} has "
            f"{', '.join(data.classes)}: evaluate it on the same ones, in the same order."
        )


def _batch(split: Split, images: int) -> np.ndarray:
    """So many images of the split, over and over where it has fewer, as a model takes them."""
    return _scoring.as_input(np.resize(split.images, (images, *split.images.shape[1:])))


def _doubt(notes: Mapping[str, Any], data: Data, split: SplitName) -> str:
    """A sentence where a split that is cut is not the one that was set aside when the file was trained."""
    known, present = notes.get("held_out"), data.held_out
    if not isinstance(known, dict) or known.get(split) == present.get(split):
        return ""
    if split == "validation" and known.get("test") == present["test"]:  # the same data, given or cut
        return "some of these validation images were trained on: fewer were set aside for this network"
    if split not in data.cut:
        return ""
    return (
        f"these {split} images are cut from {data.name}, and are not those that were set aside when the "
        "network was trained: it may have been trained on some of them; --split all scores all images of a "
        "folder of new ones"
    )
