"""Unit: a linear map, pooling, norm and activation in the order that trains fastest, and how they fold."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnap_search.structure import fused
from gnap_search.structure.norm import Norm


class Unit(nn.Module):
    """Linear map -> pooling -> norm -> ReLU. Pooling first leaves the later steps a quarter of the work.

    `linear` is a convolution or a fully connected layer. It needs no bias: the norm's shift takes its place.
    """

    norm: Norm | None

    def __init__(
        self, linear: nn.Conv2d | nn.Linear, *, pool: int = 1, activate: bool = True, gain: bool = False
    ) -> None:
        super().__init__()
        assert not (gain and pool > 1), "a gain below zero would not commute with max-pooling"
        self.linear = linear
        self.norm = Norm(linear.weight.shape[0], gain=gain)
        self.pool, self.activate = pool, activate

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.linear(inputs)
        if self.norm is not None and fused.applies(outputs, self.norm, self.pool):
            return fused.pool_norm_relu(outputs, self.norm, self.pool, activate=self.activate)
        if self.pool > 1:
            outputs = functional.max_pool2d(outputs, self.pool)
        if self.norm is not None:
            outputs = self.norm(outputs)
        return functional.relu(outputs) if self.activate else outputs

    @torch.no_grad()
    def fold(self) -> None:
        """Merge the norm into the linear map: exact at inference, meaningless for training."""
        if self.norm is None:
            return
        scale, shift = self.norm.affine()
        weight, bias = self.linear.weight, self.linear.bias
        weight.mul_(scale.view(-1, *[1] * (weight.ndim - 1)))
        if bias is not None:
            shift = shift + bias * scale
        self.linear.bias = nn.Parameter(shift.clone())
        self.norm = None


class Skipping(nn.Conv2d):
    """A 1x1 convolution with a stride: in training the pixels that it skips are left out beforehand.

    Values and gradients are the same. But the gradient of its weights that oneDNN computes on processors
    without AVX-512 writes past its memory where fewer than eight channels, laid out channels last, come in
    (https://github.com/uxlfoundation/oneDNN/issues/6035; seen in torch 2.13 with oneDNN 3.12).
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        rows, columns = self.stride
        return functional.conv2d(input[:, :, ::rows, ::columns], self.weight, self.bias)


def convolution(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution that keeps the size of the image at stride 1."""
    kind = Skipping if kernel == 1 and stride > 1 else nn.Conv2d
    return kind(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)


def depthwise(channels: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution of each channel by itself, without bias, that keeps the size of the image at stride 1.

    A filter of zeros counts as the end of its channel. So a channel's values must all pass the filter: no
    shortcut may carry them around it.
    """
    return nn.Conv2d(
        channels, channels, kernel, stride=stride, padding=kernel // 2, groups=channels, bias=False
    )
