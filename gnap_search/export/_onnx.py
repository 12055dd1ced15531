"""ONNX files as the formats write and read them: a classifier translated, and any classifier opened."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gnap_search.contracts import LoadedModel
from gnap_search.errors import UserError, first_line
from gnap_search.export import _onnx_graph, _runtime
from gnap_search.structure import Shape
from gnap_search.structure.model import Classifier

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession


def save(model: Classifier, path: Path, notes: Mapping[str, Any]) -> None:
    """Write the folded classifier: `image`, float32 N x C x H x W in [0, 1], any N -> `logits`, N x classes.

    What the tracer noted about source code is left out; `notes` stands in the metadata under `gnap_search`.
    """
    _runtime.require("onnx", "onnxscript")
    import onnx

    proto = _translate(model.fold().cpu())
    _onnx_graph.strip(proto)
    proto.producer_name = "gnap-search"
    onnx.helper.set_model_props(proto, {"gnap_search": json.dumps(dict(notes))})
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString())


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Open any ONNX classifier with a single image input in onnxruntime, on one thread."""
    _runtime.require("onnx", "onnxruntime")
    proto = _read(path)
    session = _open(path)
    image = _image_input(path, session)
    fits = _runtime.images_of(path, tuple(image.shape[1:]), shape)
    fixed = image.shape[0] if isinstance(image.shape[0], int) else None
    graph = _graph(path, proto, image.name, (fixed or 1, *fits))

    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = session.run(None, {image.name: images})[0]
        return logits

    answers = _runtime.in_batches_of(fixed, predict) if fixed else predict
    return LoadedModel(answers, graph.cost(), graph.memory(), fits, _notes(proto))


def _translate(model: Classifier) -> ModelProto:
    images = torch.zeros(2, *model.blueprint.shape)  # a batch of one would be taken for a constant
    with _runtime.quietly():
        program = torch.onnx.export(
            model,
            (images,),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter returns its program"
    return program.model_proto


def _read(path: Path) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load(path)
        onnx.checker.check_model(proto)
    except FileNotFoundError:
        raise UserError(f"There is no model file {path}.") from None
    except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as problem:
        raise UserError(f"{path} is not a readable ONNX model ({first_line(problem)}).") from None
    return proto


def _open(path: Path) -> InferenceSession:
    try:
        return _onnx_graph.session(str(path))
    except _onnx_graph.runtime_errors() as problem:
        raise UserError(f"onnxruntime cannot open {path} ({first_line(problem)}).") from None


def _graph(path: Path, proto: ModelProto, image: str, batch: Sequence[int]) -> _onnx_graph.Graph:
    try:
        return _onnx_graph.Graph(proto, image, batch)
    except _onnx_graph.runtime_errors() as problem:
        raise UserError(f"onnxruntime cannot run {path} ({first_line(problem)}).") from None


def _notes(proto: ModelProto) -> dict[str, Any]:
    """What the file keeps, where it is one of ours."""
    kept = {entry.key: entry.value for entry in proto.metadata_props}
    with contextlib.suppress(ValueError):
        notes = json.loads(kept.get("gnap_search", "{}"))
        return notes if isinstance(notes, dict) else {}
    return {}


def _image_input(path: Path, session: InferenceSession) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        found = ", ".join(f"{value.name}: {value.type} {value.shape}" for value in inputs)
        raise UserError(f"{path.name} must take one float32 image batch N x C x H x W, and it takes {found}.")
    return inputs[0]
