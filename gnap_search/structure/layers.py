"""Unit: convolution, pooling, norm and activation in the order that trains fastest, and how they fold."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ShiftNorm(nn.Module):
    """Batch normalisation with a learnt shift and no learnt gain, over N x C or N x C x H x W.

    Behind it stand a ReLU and a linear layer, which can express any positive gain; so the gain would only add a
    parameter a channel. Without it the norm is an increasing function of its input, and so commutes with pooling.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.batch_norm(
            inputs,
            self.running_mean,
            self.running_var,
            None,
            self.bias,
            self.training,
            self.momentum,
            self.epsilon,
        )

    def scale(self) -> Tensor:
        """What an input is multiplied by at inference, a value a channel."""
        return (self.running_var + self.epsilon).rsqrt()
