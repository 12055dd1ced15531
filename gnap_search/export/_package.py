"""Package: write a model in several formats, load each file again, and keep only what proved itself.

DIRECTORY/model.safetensors model.onnx model.pt2   the formats asked for
          model.json                               what the model is, what it costs and how each file did
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gnap_search import catalog
from gnap_search.contracts import Data, ExporterModule, Predict
from gnap_search.errors import UserError
from gnap_search.export import _scoring
from gnap_search.export._size import Size
from gnap_search.structure import cost
from gnap_search.structure.model import Classifier

MANIFEST = "model.json"
TOLERANCE = 1e-4  # of a logit, absolutely, or relative to the greatest logit where that is above 1


@dataclasses.dataclass(frozen=True)
class Exported:
    """One file that was written, read back by its own runtime and compared with the live network.

    `difference` is the greatest absolute difference between its logits and the network's over the test split,
    on which `test_accuracy`, from 0 to 1, is its own score. `cost` is counted in the file.
    """

    format: str
    path: Path
    difference: float
    test_accuracy: float
    cost: cost.Cost
    size: Size


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
    live = _scoring.logits(_live(model), data.test, len(data.classes))
    with _draft_of(directory) as draft:
        exported = []
        for name, exporter in exporters.items():
            exporter.save(model, draft / exporter.FILENAME, notes)
            exported.append(_proved(name, exporter, draft, data, live))
        manifest = _manifest(model, data, notes, exported)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return [dataclasses.replace(file, path=directory / file.path.name) for file in exported]


def _live(model: Classifier) -> Predict:
    live = copy.deepcopy(model).eval()
    device = live.mean.device

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = live(torch.from_numpy(images).to(device)).float().cpu().numpy()
        return logits

    return predict


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


def _proved(name: str, exporter: ExporterModule, draft: Path, data: Data, live: np.ndarray) -> Exported:
    path = draft / exporter.FILENAME
    loaded = exporter.load(path, data.shape)
    outputs = _scoring.logits(loaded.predict, data.test, len(data.classes))
    difference = float(np.abs(outputs - live).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(live).max()))
    if not difference <= allowed or _disagreements(outputs, live, allowed):
        raise UserError(
            f"{path.name} does not give the network's answers (logits differ by up to {difference:.1e}, and "
            f"{allowed:.1e} is allowed), so nothing was exported: choose other formats than {name!r}."
        )
    return Exported(name, path, difference, _scoring.accuracy(outputs, data.test), loaded.cost, Size.of(path))


def _disagreements(outputs: np.ndarray, live: np.ndarray, allowed: float) -> int:
    """Images that are classified differently, but for those whose two best classes are as good as equal."""
    best = np.sort(live, 1)
    decided = best[:, -1] - best[:, -2] > 2 * allowed
    return int((decided & (outputs.argmax(1) != live.argmax(1))).sum())


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
        "versions": _versions("gnap-search", "torch", "onnx", "onnxruntime"),
    }


def _versions(*distributions: str) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
