"""Package: write a model in several formats, load each file again, and keep only what proved itself.

DIRECTORY/model.onnx model.c model.h ...   the files of the formats asked for
          model.json                       what the model is, what it costs and how each file did
          model.md                         the same for people: the model card
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search import catalog, environment
from gnap_search.contracts import Data, Predict
from gnap_search.errors import UserError
from gnap_search.export import _card, _formats, _timing
from gnap_search.export._original import Exported, Original, Speed
from gnap_search.structure import Shape, cost
from gnap_search.structure.model import Classifier
from gnap_search.threads import one_thread

EAGER, ONNX = "eager", "model.onnx"  # what every file is compared with
MANIFEST, CARD = "model.json", "model.md"
IDENTITY = ("study", "point", "config", "validation_accuracy", "widths", "cost", "data_digest")


def package(
    model: Classifier,
    formats: Sequence[str],
    directory: Path,
    data: Data,
    notes: Mapping[str, Any],
    *,
    history: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> list[Exported]:
    """Export a model to `directory`, with a manifest and a model card.

    `notes` is JSON that goes into every file, `history` how the model came to be, for manifest and card
    alone. Either everything is written or nothing: the files are made and checked aside and moved at the
    end, over those of an earlier export. What that left of the same network stays and is listed too; what it
    left of another one goes. Before that, `tell` hears of every file that rounding has made worse, and of
    those that go.

    Raises:
        UserError: no format is named, one is unknown or its library is missing, the directory cannot be
            written, or a file does not give the network's answers.
    """
    if not formats:
        raise UserError(f"No format is named to export to; known: {', '.join(catalog.names('export'))}.")
    exporters = {name: _formats.exporter(name) for name in formats}
    original = Original(model, data)
    if notes.get("test_accuracy") is None:  # a study that was broken off has not scored it
        notes = {**notes, "test_accuracy": original.test_accuracy}
    with _draft_of(directory) as draft:
        written = [
            original.write(name, draft / exporter.FILENAME, notes) for name, exporter in exporters.items()
        ]
        exported = _timed(model, written, data.shape)
        manifest = _manifest(model, data, {**notes, **(history or {})}, exported)
        manifest["files"] += _beside(directory, manifest)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        (draft / CARD).write_text(_card.markdown(manifest), encoding="utf-8")
        for file in exported:
            if file.warning:
                tell(file.warning)
        if left := sorted(_left_behind(directory, draft)):
            tell(f"{', '.join(left)} of an earlier export to {directory} will be removed.")
    return [dataclasses.replace(file, path=directory / file.path.name) for file in exported]


def _timed(model: Classifier, written: Sequence[Exported], shape: Shape) -> list[Exported]:
    """The files with the time that an image takes in each, in PyTorch and in onnxruntime."""
    image = np.full((1, *shape), 0.5, np.float32)
    with one_thread(), tempfile.TemporaryDirectory(prefix="gnap-search-") as folder:
        predicts = {file.path.name: _load(file.format, file.path, shape) for file in written}
        predicts[EAGER] = _reference(model, "safetensors", Path(folder), shape)
        if ONNX not in predicts and _installed("onnx", "onnxscript", "onnxruntime"):
            predicts[ONNX] = _reference(model, "onnx", Path(folder), shape)
        seconds = _timing.side_by_side(predicts, image)
    return [
        dataclasses.replace(file, speed=Speed(seconds[file.path.name], seconds[EAGER], seconds.get(ONNX)))
        for file in written
    ]


def _reference(model: Classifier, format: str, folder: Path, shape: Shape) -> Predict:
    """The network in a format that others are compared with."""
    exporter = _formats.exporter(format)
    path = folder / exporter.FILENAME
    exporter.save(model, path, {}, np.zeros((0, *shape), np.float32))
    return _load(format, path, shape)


def _load(format: str, path: Path, shape: Shape) -> Predict:
    return _formats.exporter(format).load(path, shape).predict


def _installed(*libraries: str) -> bool:
    return all(importlib.util.find_spec(library) for library in libraries)


@contextlib.contextmanager
def _draft_of(directory: Path) -> Iterator[Path]:
    """A folder whose files move to `directory` together once all of them are there."""
    new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".draft-") as draft:
            yield Path(draft)
            _replace(directory, Path(draft))
    except OSError as problem:
        raise UserError(f"Cannot write the export to {directory}: {problem.strerror}.") from None
    finally:
        if new and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _replace(directory: Path, draft: Path) -> None:
    """Let files take the places of those of an earlier export.

    The manifest comes last: after a crash the former one still says what there may be to remove.
    """
    for path in draft.iterdir():
        if (directory / path.name).is_dir():
            raise UserError(f"{directory / path.name} is a folder; move it, or name another place with -o.")
    for name in _left_behind(directory, draft):
        (directory / name).unlink()
    for path in sorted(draft.iterdir(), key=lambda path: (path.name == MANIFEST, path.name)):
        os.replace(path, directory / path.name)


def _left_behind(directory: Path, draft: Path) -> set[str]:
    """The files of an earlier export that the new one does not list; nothing that is the user's."""
    gone = _files(_earlier(directory)) - _files(_earlier(draft))
    return {name for name in gone if (directory / name).is_file()}


def _beside(directory: Path, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an earlier manifest says of the same network's files that are not written anew."""
    earlier, new = _earlier(directory), {file["file"] for file in manifest["files"]}
    network = json.loads(json.dumps({key: manifest.get(key) for key in IDENTITY}))
    if network != {key: earlier.get(key) for key in IDENTITY}:
        return []
    there = [file for file in earlier["files"] if (directory / file["file"]).is_file()]
    return [file for file in there if file["file"] not in new]


def _earlier(directory: Path) -> dict[str, Any]:
    """The manifest of an earlier export; one without files where there is none that can be read."""
    try:
        earlier, known = json.loads((directory / MANIFEST).read_text()), _formats.files()
        return {**earlier, "files": [file for file in earlier["files"] if file["file"] in known]}
    except (OSError, ValueError, LookupError, TypeError):
        return {"files": []}


def _files(manifest: Mapping[str, Any]) -> set[str]:
    """All files that a manifest lists, with those that belong to them."""
    beside = _formats.files()
    return {name for file in manifest["files"] for name in (file["file"], *beside[file["file"]])}


def _manifest(
    model: Classifier, data: Data, notes: Mapping[str, Any], exported: Sequence[Exported]
) -> dict[str, Any]:
    blueprint = model.blueprint
    return {
        **notes,
        "network": blueprint.network,
        "widths": model.widths,
        "image": dict(zip(("channels", "height", "width"), blueprint.shape, strict=True)),
        "dataset": data.name,
        "data_digest": data.digest,
        "images": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "classes": list(data.classes),
        "normalisation": {"mean": model.mean.item(), "deviation": model.deviation.item()},
        "cost": dataclasses.asdict(cost.count(model.fold(), blueprint.shape)),
        "test_images": len(data.test),
        "processor": environment.processor(),
        "files": [_told(file) for file in exported],
        "versions": {
            "python": platform.python_version(),
            **environment.versions("gnap-search", "torch", "onnx", "onnxruntime"),
        },
    }


def _told(file: Exported) -> dict[str, Any]:
    """What the manifest says of a file; `_timed` has seen to its speed."""
    assert file.speed is not None
    return {
        "file": file.path.name,
        "format": file.format,
        "test_accuracy": file.test_accuracy,
        "accuracy_lost_by_rounding": file.loss,
        "greatest_difference": file.difference,
        "memory": file.memory,
        "speed": dataclasses.asdict(file.speed),
        **dataclasses.asdict(file.size),
    }
