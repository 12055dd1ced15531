"""ONNX: one file for onnxruntime and whatever else reads ONNX, the normalisation inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import LoadedModel
from gnap_search.export import _onnx
from gnap_search.structure import Shape
from gnap_search.structure.model import Classifier

FILENAME = "model.onnx"
BESIDE: tuple[str, ...] = ()
ROUNDING = 0.0
LOADING = """\
```python
import numpy, onnxruntime  # pip install onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
images = numpy.zeros((1, {channels}, {height}, {width}), numpy.float32)  # pixels from 0 to 1
(logits,) = session.run(["logits"], {{"image": images}})
```"""


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the folded classifier: `image`, float32 N x C x H x W in [0, 1], any N -> `logits`, N x classes.

    The weights keep their zeros and their shapes, so that the file's non-zero values can be counted by
    anybody.
    """
    del images
    _onnx.save(model, path, notes)


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Open any ONNX classifier with a single image input in onnxruntime, on one thread."""
    return _onnx.load(path, shape)
