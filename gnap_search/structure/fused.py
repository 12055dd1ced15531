"""Fused: pooling, norm and ReLU as one operation, for the images on which torch's own are slow.

That is on a processor, with many values and channels last; `applies` decides. Values and gradients are those
of the separate operations, to rounding.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnap_search.structure.norm import Norm

AVAILABLE = importlib.util.find_spec("numba") is not None
MANY = 1 << 18  # values below which torch is about as fast, and nothing has to be compiled first
KINDS = (torch.float32, torch.bfloat16)


def applies(images: Tensor, norm: Norm, pool: int) -> bool:
    """Whether `pool_norm_relu` takes these images, N x C x H x W, and pays for them."""
    return (
        AVAILABLE
        and not norm._forward_hooks  # somebody watches the norm, which would not be called
        and images.ndim == 4
        and images.numel() >= MANY
        and images.device.type == "cpu"
        and images.dtype in KINDS
        and (pool == 1 or (pool == 2 and images.shape[2] % 2 == images.shape[3] % 2 == 0))
        and images.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()  # an exported graph holds torch's operations alone
    )


def pool_norm_relu(images: Tensor, norm: Norm, pool: int, *, activate: bool) -> Tensor:
    """Max-pooling of `pool` x `pool` windows, then `norm`, then ReLU if wanted.

    In training the norm's running statistics move on, as its own `forward` moves them.
    """
    outputs: Tensor = _PoolNormReLU.apply(images, norm.bias, norm.weight, norm, pool, activate)  # type: ignore[no-untyped-call] # torch's
    return outputs


class _PoolNormReLU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, shift: Tensor, gain: Tensor | None, norm: Norm, pool: int, activate: bool
    ) -> Tensor:
        from gnap_search.structure import kernels

        rows = _rows(images)
        channels = len(shift)
        pooled, places = rows, np.empty((0, 0), np.uint8)
        if pool > 1:
            pooled, places = kernels.max_pool(rows, channels)
        if norm.training:
            mean, variance = kernels.statistics(pooled, channels)
            norm.follow(torch.from_numpy(mean), torch.from_numpy(variance), pooled.size // channels)
        else:
            mean, variance = _numpy(norm.running_mean), _numpy(norm.running_var)
        deviation = 1 / np.sqrt(variance + norm.epsilon)
        scale = deviation if gain is None else deviation * _numpy(gain)
        offset = _numpy(shift) - mean * scale
        scale, offset = scale.astype(np.float32), offset.astype(np.float32)
        outputs = kernels.normalise(pooled, rows, scale, offset, activate)
        # The arrays are nobody else's, so nothing can change them in between.
        ctx.kept = pooled, places, scale, offset, mean, deviation, activate
        ctx.gained, ctx.fixed = gain is not None, not norm.training
        height, width = images.shape[2] // pool, images.shape[3] // pool
        return _images(outputs, (len(images), height, width, channels))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from gnap_search.structure import kernels

        pooled, places, scale, offset, mean, deviation, activate = ctx.kept
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        count, channels, height, width = gradient.shape
        rows = _rows(gradient)
        total, along = kernels.sums(pooled, rows, scale, offset, mean.astype(np.float32), activate)
        line = np.zeros((2, channels), np.float32)
        if not ctx.fixed:
            samples = pooled.size // channels
            line[1] = -along * scale * deviation**2 / samples
            line[0] = -total * scale / samples - line[1] * mean
        pool = 2 if places.size else 1
        inputs = kernels.spread(pooled, rows, places, scale, offset, line, activate)
        return (
            _images(inputs, (count, height * pool, width * pool, channels)),
            torch.from_numpy(total.astype(np.float32)),
            torch.from_numpy((along * deviation).astype(np.float32)) if ctx.gained else None,
            None,
            None,
            None,
        )


def _rows(images: Tensor) -> np.ndarray:
    """Images as the kernels take them, in the same memory."""
    rows = images.detach().permute(0, 2, 3, 1).flatten(0, 1).flatten(1)
    return (rows.view(torch.uint16) if rows.dtype == torch.bfloat16 else rows).numpy()


def _images(rows: np.ndarray, shape: tuple[int, int, int, int]) -> Tensor:
    """What the kernels give as images, from N, H, W and C."""
    values = torch.from_numpy(rows)
    if values.dtype == torch.uint16:
        values = values.view(torch.bfloat16)
    return values.view(shape).permute(0, 3, 1, 2)


def _numpy(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().numpy()
    return array
