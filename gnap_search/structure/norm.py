"""Norm: batch normalisation, whose gain is left out wherever what follows can express it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Norm(nn.Module):
    """Batch normalisation with a learnt shift and, only where it is asked for, a learnt gain.

    Inputs are N x C or N x C x H x W. Where a ReLU and a linear map follow, they can express any positive
    gain, so the gain would only add a parameter a channel. Without it the norm increases with its input,
    and so it commutes with max-pooling.
    """

    running_mean: Tensor
    running_var: Tensor
    weight: nn.Parameter | None

    def __init__(self, channels: int, *, gain: bool = False) -> None:
        super().__init__()
        self.momentum, self.epsilon = 0.1, 1e-5
        self.bias = nn.Parameter(torch.zeros(channels))
        self.weight = nn.Parameter(torch.ones(channels)) if gain else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        gain: Tensor | None = self.weight
        if gain is None and inputs.is_cuda:
            gain = torch.ones_like(self.bias)  # else torch's backward there leaves out the shift's gradient
        return functional.batch_norm(
            inputs,
            self.running_mean,
            self.running_var,
            gain,
            self.bias,
            self.training,
            self.momentum,
            self.epsilon,
        )

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, samples: int) -> None:
        """Move the running statistics towards those of a batch: its biased variance over so many values."""
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        unbiased = variance.to(self.running_var) * (samples / max(1, samples - 1))
        self.running_var.lerp_(unbiased, self.momentum)

    def affine(self) -> tuple[Tensor, Tensor]:
        """The scale and the shift that it amounts to at inference, a value a channel each."""
        scale = (self.running_var + self.epsilon).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        return scale, self.bias - self.running_mean * scale
