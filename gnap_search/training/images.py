"""Images on their way to the network: uint8 on the device once, float batches when they are needed."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import torch
from torch import Tensor

from gnap_search.contracts import Split

KEPT = 4  # splits of which tensors or statistics are kept: trials follow one another on the same data


@functools.lru_cache(maxsize=KEPT)
def to_device(split: Split, device: str) -> tuple[Tensor, Tensor]:
    """A split's images (uint8) and labels (int64) as tensors: once a process, however many trials it trains.

    On a CPU they share the arrays' memory.
    """
    with warnings.catch_warnings():
        # Arrays out of a shared object store are read-only, and nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    return images.to(device), labels.to(device)


def as_float(images: Tensor) -> Tensor:
    """Uint8 images as float32 in [0, 1], laid out channels last."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


@functools.lru_cache(maxsize=KEPT)
def statistics(split: Split) -> tuple[float, float]:
    """Mean and standard deviation over all pixels and channels, of values in [0, 1]."""
    counts = sum(np.bincount(images.ravel(), minlength=256) for images in split.images)
    levels = np.arange(256) / 255
    shares = counts / split.images.size
    mean = float(shares @ levels)
    return mean, max(float(np.sqrt(shares @ (levels - mean) ** 2)), 1e-3)
