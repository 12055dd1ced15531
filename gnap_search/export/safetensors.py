"""Safetensors: the values and the architecture, for gnap-search itself and for PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import LoadedModel
from gnap_search.export import _eager, _runtime
from gnap_search.structure import Shape
from gnap_search.structure import model as classifiers
from gnap_search.structure.model import Classifier

FILENAME = "model.safetensors"
BESIDE: tuple[str, ...] = ()
ROUNDING = 0.0
LOADING = """\
```python
from gnap_search.structure import model  # pip install gnap-search

classifier, notes = model.load("model.safetensors")  # a torch.nn.Module; pixels from 0 to 1
```"""


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the folded classifier; the header keeps architecture, widths and notes as JSON."""
    del images
    classifiers.save(model.fold().cpu(), path, notes)


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Rebuild the network and fill in its values."""
    model, notes = classifiers.load(path)
    fits = _runtime.images_of(path, model.blueprint.shape, shape)
    return _eager.loaded(model, fits, notes)
