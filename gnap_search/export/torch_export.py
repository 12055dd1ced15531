"""torch.export: PyTorch's own graph format (.pt2), which runs wherever torch is, without gnap-search."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils._python_dispatch import TorchDispatchMode

from gnap_search.contracts import LoadedModel
from gnap_search.errors import UserError
from gnap_search.export import _eager, _runtime
from gnap_search.structure import Shape
from gnap_search.structure.cost import Cost
from gnap_search.structure.model import Classifier

FILENAME = "model.pt2"
BESIDE: tuple[str, ...] = ()
ROUNDING = 0.0
LOADING = """\
```python
import torch

run = torch.export.load("model.pt2").module()
logits = run(torch.zeros(1, {channels}, {height}, {width}))  # pixels from 0 to 1
```"""
NOTES = "gnap_search.json"  # the extra file that keeps them


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the folded classifier's graph, for any batch; `notes` is its extra file `gnap_search.json`."""
    del images
    plain = model.fold().cpu()
    blank = torch.zeros(2, *model.blueprint.shape)  # a batch of one would be taken for a constant
    buffer = io.BytesIO()
    with _runtime.quietly():
        program = torch.export.export(
            plain, (blank,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
        )
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # it names files of the exporting machine
        program.example_inputs = None
        torch.export.save(program, buffer, extra_files={NOTES: json.dumps(dict(notes))})
    path.write_bytes(buffer.getvalue())


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Load a program with a single image input."""
    program, notes = _read(path)
    takes = _image_shape(path, program)
    fits = _runtime.images_of(path, takes[1:], shape)
    run = program.module()

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = run(torch.from_numpy(images)).numpy()
        return logits

    fixed = takes[0] if isinstance(takes[0], int) else None
    blank = torch.zeros(fixed or 1, *fits)
    with torch.no_grad(), _ProductCounter() as counter:  # inference mode would hide the products from it
        run(blank)
    cost = _cost(program, counter.macs // (fixed or 1), counter.live_macs // (fixed or 1))
    answers = _runtime.in_batches_of(fixed, predict) if fixed else predict
    return LoadedModel(answers, cost, _eager.memory(run, blank), fits, notes)


class _ProductCounter(TorchDispatchMode):
    """Counts the multiply-accumulates of what runs inside it, and those with a weight that is not zero."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own is not annotated
        self.macs = self.live_macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self._add(args[1], result.numel() // max(1, result.shape[1]))
        elif func in (torch.ops.aten.addmm.default, torch.ops.aten.mm.default):
            self._add(args[-1], result.shape[0])
        return result

    def _add(self, weight: torch.Tensor, positions: int) -> None:
        self.macs += weight.numel() * positions
        self.live_macs += int(torch.count_nonzero(weight)) * positions


def _cost(program: ExportedProgram, macs: int, live_macs: int) -> Cost:
    values = list(program.parameters())
    weights = sum(int(torch.count_nonzero(value)) for value in values if value.ndim > 1)
    affine = sum(value.numel() for value in values if value.ndim == 1)
    return Cost(weights + affine, weights, macs, live_macs, sum(value.numel() for value in values))


def _image_shape(path: Path, program: ExportedProgram) -> tuple[object, ...]:
    names = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.name in names]
    if len(values) != 1 or values[0].ndim != 4 or values[0].dtype != torch.float32:
        raise UserError(
            f"{path.name} must take one float32 image batch N x C x H x W, and it takes another input."
        )
    return tuple(values[0].shape)


def _read(path: Path) -> tuple[ExportedProgram, dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"There is no model file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is None:
            extra = {NOTES: ""}
            with _runtime.quietly():
                program = torch.export.load(path, extra_files=extra)
            return program, json.loads(extra[NOTES] or "{}")
    except (zipfile.BadZipFile, RuntimeError, ValueError, KeyError, OSError):
        pass
    raise UserError(f"{path} is not a readable torch.export program: export it again.")
