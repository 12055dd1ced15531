"""Eager: a classifier that PyTorch runs operation by operation, and what that takes in memory."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gnap_search.contracts import LoadedModel
from gnap_search.structure import Shape, cost
from gnap_search.structure.model import Classifier


def loaded(model: Classifier, shape: Shape, notes: Mapping[str, Any]) -> LoadedModel:
    """A folded classifier as what a file of it is loaded as."""

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = model(torch.from_numpy(images)).numpy()
        return logits

    needed = memory(model, torch.zeros(1, *shape))
    return LoadedModel(predict, cost.count(model, shape), needed, shape, notes)


def memory(run: nn.Module, images: Tensor) -> int:
    """Bytes of all weights and buffers, one image, and the most results that are alive at once for it."""
    with torch.no_grad(), _Living() as living:  # inference mode would hide the operations from it
        run(images)
    passing: int = _bytes(images) + living.most
    return sum(_bytes(value) for value in (*run.parameters(), *run.buffers())) + passing // len(images)


class _Living(TorchDispatchMode):
    """Follows the memory of results from where they are made to where nobody holds them any more."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own is not annotated
        self.now = 0
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            storage, given = result.untyped_storage(), [arg for arg in args if isinstance(arg, Tensor)]
            views = any(storage.data_ptr() == arg.untyped_storage().data_ptr() for arg in given)
            if not views:
                self._count(_bytes(result))
                weakref.finalize(result, self._count, -_bytes(result))
        return result

    def _count(self, change: int) -> None:
        self.now += change
        self.most = max(self.most, self.now)


def _bytes(value: Tensor) -> int:
    return value.numel() * value.element_size()
