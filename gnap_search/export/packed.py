"""Packed: a bit for every weight and two bytes for each that is not zero; a few lines of numpy unpack it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialised

from gnap_search.contracts import LoadedModel
from gnap_search.errors import UserError, first_line
from gnap_search.export import _eager, _runtime
from gnap_search.structure import Shape
from gnap_search.structure import model as classifiers
from gnap_search.structure.model import Classifier

FILENAME = "model.packed.safetensors"
BESIDE: tuple[str, ...] = ()
ROUNDING = 2.0**-8  # each number keeps eleven binary digits, and a logit is the sum of many
LOADING = """\
```python
import json, numpy, safetensors  # pip install safetensors

with safetensors.safe_open("model.packed.safetensors", "numpy") as file:
    shapes = json.loads(file.metadata()["gnap_search"])["tensors"]
    bits, values = file.get_tensor("bits"), file.get_tensor("values")
ends = numpy.cumsum([int(numpy.prod(shape)) for shape in shapes.values()])
flat = numpy.zeros(ends[-1], numpy.float32)
flat[numpy.unpackbits(bits, count=flat.size).astype(bool)] = values
parts = zip(shapes.items(), numpy.split(flat, ends[:-1]))
tensors = {{name: part.reshape(shape) for (name, shape), part in parts}}
```"""
LEAST = np.finfo(np.float16).smallest_subnormal  # what does not round to zero


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the folded classifier's values, one after the other, as `bits` and `values`.

    A bit says whether a value is other than zero, and these follow as float16. The header has their names
    and shapes, architecture, widths and notes as JSON.

    Raises:
        UserError: a value is beyond what float16 holds.
    """
    del images
    folded = model.fold().cpu()
    tensors = {name: value.numpy() for name, value in folded.state_dict().items()}
    flat = np.concatenate([value.ravel() for value in tensors.values()])
    living = flat[flat != 0]
    if np.abs(living).max(initial=0.0) > np.finfo(np.float16).max:
        raise UserError("A value of this network is too great for the format 'packed': export safetensors.")
    # A weight that float16 would round to zero must not seem pruned.
    small = np.abs(living) < LEAST
    values = np.where(small, np.copysign(LEAST, living), living).astype(np.float16)
    about = classifiers.header(folded, notes) | {
        "tensors": {name: list(value.shape) for name, value in tensors.items()}
    }
    content = {"bits": np.packbits(flat != 0), "values": values}
    path.write_bytes(serialised(content, {"gnap_search": json.dumps(about, separators=(",", ":"))}))


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Unpack the values and fill them into a network as PyTorch runs it."""
    try:
        about, tensors = unpack(path)
        values = {name: torch.from_numpy(value) for name, value in tensors.items()}
        model = classifiers.rebuilt(about, values)
    except FileNotFoundError:
        raise UserError(f"There is no model file {path}.") from None
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as problem:
        raise UserError(
            f"{path} is not a readable packed model ({first_line(problem)}); export it again."
        ) from None
    fits = _runtime.images_of(path, model.blueprint.shape, shape)
    return _eager.loaded(model, fits, about["notes"])


def unpack(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the header says, and every value by its name, as float32."""
    with safe_open(path, "numpy") as file:
        about = json.loads((file.metadata() or {})["gnap_search"])
        bits, values = file.get_tensor("bits"), file.get_tensor("values")
    sizes = [int(np.prod(shape)) for shape in about["tensors"].values()]
    flat = np.zeros(sum(sizes), np.float32)
    flat[np.unpackbits(bits, count=flat.size).astype(bool)] = values
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return about, {
        name: part.reshape(about["tensors"][name]) for name, part in zip(about["tensors"], parts, strict=True)
    }
