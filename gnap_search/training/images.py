"""Images on their way to the network: uint8 on the device once, float batches when they are needed."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from gnap_search.contracts import Split


def to_device(split: Split, device: str) -> tuple[Tensor, Tensor]:
    """A split's images (uint8) and labels (int64) as tensors; on a CPU they share the arrays' memory."""
    with warnings.catch_warnings():
        # Arrays out of a shared object store are read-only, and nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    return images.to(device), labels.to(device)


def as_float(images: Tensor) -> Tensor:
    """Uint8 images as float32 in [0, 1], laid out channels last."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


def statistics(images: Tensor) -> tuple[float, float]:
    """Mean and standard deviation over all pixels and channels, of values in [0, 1]."""
    counts = torch.bincount(images.flatten().to(torch.int64), minlength=256).to(torch.float64)
    levels = torch.arange(256, dtype=torch.float64, device=images.device) / 255
    shares = counts / counts.sum()
    mean = (shares * levels).sum()
    deviation = (shares * (levels - mean) ** 2).sum().sqrt()
    return float(mean), max(float(deviation), 1e-3)
