"""Int8: ONNX whose layers compute in whole numbers of eight bits, their ranges met on training images."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import LoadedModel
from gnap_search.export import _onnx, _runtime
from gnap_search.structure import Shape
from gnap_search.structure.model import Classifier

FILENAME = "model.int8.onnx"
BESIDE: tuple[str, ...] = ()
ROUNDING = 0.25  # a logit passes many layers of 256 steps each
LOADING = """\
```python
import onnxruntime  # pip install onnxruntime

session = onnxruntime.InferenceSession("model.int8.onnx")  # takes and gives what model.onnx does
```"""
BATCH = 100  # images that the ranges are met on at once


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the classifier as ONNX in QDQ form, after static quantisation by onnxruntime.

    Weights are rounded with a scale for each channel, what passes between layers with one for each tensor.
    Weights have seven bits: processors without instructions of their own for this add two products in
    sixteen, where eight overflow (on MNIST that put logits off by 5 instead of 1).
    """
    _runtime.require("onnx", "onnxruntime", "onnxscript")
    import onnx
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory(prefix="gnap-search-") as folder, _runtime.quietly():
        exact, rounded = Path(folder) / "exact.onnx", Path(folder) / "rounded.onnx"
        _onnx.save(model, exact, notes)
        quantization.quantize_static(
            exact,
            rounded,
            _Images(images),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            reduce_range=True,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        proto = onnx.load(rounded)
    proto.producer_name = "gnap-search"
    onnx.helper.set_model_props(proto, {"gnap_search": json.dumps(dict(notes))})
    path.write_bytes(proto.SerializeToString())


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Open it in onnxruntime, on one thread, as any other ONNX file."""
    return _onnx.load(path, shape)


class _Images:
    """What onnxruntime asks for images, batch by batch."""

    def __init__(self, images: np.ndarray) -> None:
        self._batches: Iterator[np.ndarray] = iter(np.array_split(images, max(1, len(images) // BATCH)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}
