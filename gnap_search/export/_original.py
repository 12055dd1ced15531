"""Original: a live network, and the files that are made of it and give the same answers."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnap_search.contracts import Data, Predict
from gnap_search.errors import UserError
from gnap_search.export import _formats, _scoring
from gnap_search.export._size import Size
from gnap_search.structure.cost import Cost
from gnap_search.structure.model import Classifier

TOLERANCE = 1e-4  # of a logit, absolutely, or relative to the greatest logit where that is above 1
MOST_LOSS = 0.001  # of accuracy by rounding, that goes without saying
CALIBRATION = 1000  # training images that formats may look at


@dataclasses.dataclass(frozen=True)
class Exported:
    """One file that was written, read back by its own runtime and compared with the live network.

    `difference` is the greatest absolute difference between its logits and the network's over the test split,
    on which `test_accuracy`, from 0 to 1, is its own score; `loss` is how much lower that is than the
    network's. `cost` and `memory` are the file's own (see `LoadedModel`), and `notes` are what was written
    into it. `speed` is None where nobody asked for it.
    """

    format: str
    path: Path
    difference: float
    test_accuracy: float
    loss: float
    cost: Cost
    memory: int
    size: Size
    notes: Mapping[str, Any]
    speed: Speed | None = None

    @property
    def warning(self) -> str | None:
        """A sentence where rounding cost more accuracy than one should lose without knowing."""
        if self.loss <= MOST_LOSS:
            return None
        return (
            f"{self.path.name} loses {100 * self.loss:.2f} percentage points of test accuracy by rounding "
            f"({100 * (self.test_accuracy + self.loss):.2f} % before, {100 * self.test_accuracy:.2f} % now); "
            "onnx and c do not round."
        )


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds that an image takes by itself on one thread of this processor, measured side by side.

    `eager` is the same network, zeros included, as PyTorch runs it, and `onnx` as onnxruntime runs its
    float32 file; None where that is not installed.
    """

    seconds: float
    eager: float
    onnx: float | None


class Original:
    """A live network with its answers to the test images, for which it is asked once.

    Attributes:
        test_accuracy: from 0 to 1.
    """

    def __init__(self, model: Classifier, data: Data) -> None:
        self._model, self._data = model, data
        self._logits = _scoring.logits(_live(model), data.test, len(data.classes))
        self.test_accuracy = _scoring.accuracy(self._logits, data.test)

    def write(self, format: str, path: Path, notes: Mapping[str, Any]) -> Exported:
        """Write the network to a file, with `notes` as JSON in it, and see that it gives the same answers.

        What the file's images and classes are is added to the notes.

        Raises:
            UserError: the format is unknown or its library is missing, or the answers are others.
        """
        exporter = _formats.exporter(format)
        kept = {**notes, **self._about()}
        exporter.save(self._model, path, kept, self._calibration())
        loaded = exporter.load(path, self._data.shape)
        outputs = _scoring.logits(loaded.predict, self._data.test, len(self._data.classes))
        difference = float(np.abs(outputs - self._logits).max())
        if not exporter.ROUNDING:
            self._refuse_other_answers(outputs, difference, path, format)
        score = _scoring.accuracy(outputs, self._data.test)
        return Exported(
            format=format,
            path=path,
            difference=difference,
            test_accuracy=score,
            loss=self.test_accuracy - score,
            cost=loaded.cost,
            memory=loaded.memory,
            size=Size.of(path),
            notes=kept,
        )

    def _about(self) -> dict[str, Any]:
        """What whoever classifies pictures of his own by a file has to know."""
        channels, height, width = self._data.shape
        return {
            "dataset": self._data.name,
            "classes": list(self._data.classes),
            "image": {"channels": channels, "height": height, "width": width},
            "held_out": self._data.held_out,
        }

    def _calibration(self) -> np.ndarray:
        """Training images from all over the split, which may be sorted."""
        images = self._data.train.images
        chosen = np.linspace(0, len(images) - 1, min(CALIBRATION, len(images))).astype(int)
        return _scoring.as_input(images[chosen])

    def _refuse_other_answers(self, outputs: np.ndarray, difference: float, path: Path, format: str) -> None:
        allowed = TOLERANCE * max(1.0, float(np.abs(self._logits).max()))
        if not difference <= allowed or _disagreements(outputs, self._logits, allowed):
            raise UserError(
                f"{path.name} does not give the network's answers (logits differ by up to {difference:.1e}, "
                f"and {allowed:.1e} is allowed), so nothing was written: the format {format!r} does not suit "
                "this network."
            )


def _live(model: Classifier) -> Predict:
    live = copy.deepcopy(model).eval()
    device = live.mean.device

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = live(torch.from_numpy(images).to(device)).float().cpu().numpy()
        return logits

    return predict


def _disagreements(outputs: np.ndarray, live: np.ndarray, allowed: float) -> int:
    """Images that are classified differently, but for those whose two best classes are as good as equal."""
    best = np.sort(live, 1)
    decided = best[:, -1] - best[:, -2] > 2 * allowed
    return int((decided & (outputs.argmax(1) != live.argmax(1))).sum())
