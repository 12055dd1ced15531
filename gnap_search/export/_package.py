"""Package: write a model in several formats, load each file again, and keep only what proved itself.

DIRECTORY/model.safetensors model.onnx model.pt2   the formats asked for
          model.json                               what the model is, what it costs and how each file did
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gnap_search import catalog, environment
from gnap_search.contracts import Data, ExporterModule
from gnap_search.errors import UserError
from gnap_search.export._original import Exported, Original
from gnap_search.structure import cost
from gnap_search.structure.model import Classifier

MANIFEST = "model.json"


def package(
    model: Classifier, formats: Sequence[str], directory: Path, data: Data, notes: Mapping[str, Any]
) -> list[Exported]:
    """Export a model to `directory`, with a manifest; `notes` is JSON that goes into every file.

    Either everything is written or nothing: the files are made and checked aside and moved at the end, over
    older ones of the same name.

    Raises:
        UserError: a format is unknown or its library is missing, the directory cannot be written, or a file
            does not give the network's answers.
    """
    exporters = {name: cast(ExporterModule, catalog.implementation("export", name)) for name in formats}
    original = Original(model, data)
    with _draft_of(directory) as draft:
        exported = [
            original.write(name, draft / exporter.FILENAME, notes) for name, exporter in exporters.items()
        ]
        manifest = _manifest(model, data, notes, exported)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return [dataclasses.replace(file, path=directory / file.path.name) for file in exported]


@contextlib.contextmanager
def _draft_of(directory: Path) -> Iterator[Path]:
    """A folder whose files move to `directory` together once all of them are there."""
    new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".draft-") as draft:
            yield Path(draft)
            for path in sorted(Path(draft).iterdir()):
                os.replace(path, directory / path.name)
    except OSError as problem:
        raise UserError(f"Cannot write the export to {directory}: {problem.strerror}.") from None
    finally:
        if new and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _manifest(
    model: Classifier, data: Data, notes: Mapping[str, Any], exported: Sequence[Exported]
) -> dict[str, Any]:
    blueprint = model.blueprint
    return {
        **notes,
        "network": blueprint.network,
        "widths": model.widths,
        "image": dict(zip(("channels", "height", "width"), blueprint.shape, strict=True)),
        "classes": list(data.classes),
        "normalisation": {"mean": model.mean.item(), "deviation": model.deviation.item()},
        "cost": dataclasses.asdict(cost.count(model.fold(), blueprint.shape)),
        "test_images": len(data.test),
        "files": [
            {
                "file": file.path.name,
                "format": file.format,
                "test_accuracy": file.test_accuracy,
                "greatest_difference": file.difference,
                **dataclasses.asdict(file.size),
            }
            for file in exported
        ],
        "versions": {
            "python": platform.python_version(),
            **environment.versions("gnap-search", "torch", "onnx", "onnxruntime"),
        },
    }
