"""Safetensors: the values and the architecture, for gnap-search itself and for PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gnap_search.contracts import LoadedModel
from gnap_search.export import _runtime
from gnap_search.structure import Shape, cost
from gnap_search.structure import model as classifiers
from gnap_search.structure.model import Classifier

FILENAME = "model.safetensors"


def save(model: Classifier, path: Path, notes: Mapping[str, Any]) -> None:
    """Write the folded classifier; the header keeps architecture, widths and notes as JSON."""
    classifiers.save(model.fold().cpu(), path, notes)


def load(path: Path, shape: Shape) -> LoadedModel:
    """Rebuild the network and fill in its values."""
    model, _notes = classifiers.load(path)
    _runtime.refuse_other_images(path, model.blueprint.shape, shape)

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = model(torch.from_numpy(images)).numpy()
        return logits

    return LoadedModel(predict, cost.count(model, shape))
