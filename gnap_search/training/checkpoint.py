"""Checkpoint: tensors and JSON in one safetensors file with a digest, replaced atomically; never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialised
from torch import Tensor

from gnap_search import files
from gnap_search.errors import CorruptCheckpoint


def save(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write both; a reader, or a crash, meets the old file or the new one and nothing between."""
    arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
    text = json.dumps(state)
    files.replace(path, serialised(arrays, metadata={"state": text, "digest": _digest(arrays, text)}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read both back.

    Raises:
        CorruptCheckpoint: the file is cut short, damaged, or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        text, digest = metadata["state"], metadata["digest"]
    except (SafetensorError, KeyError, OSError) as problem:
        raise CorruptCheckpoint(f"{path.name} cannot be read ({problem})") from None
    if digest != _digest({name: tensor.numpy() for name, tensor in tensors.items()}, text):
        raise CorruptCheckpoint(f"{path.name} is damaged: its digest does not match its content")
    state: dict[str, Any] = json.loads(text)
    return tensors, state


def _digest(arrays: Mapping[str, np.ndarray], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()
