"""Cost: the one counting rule, for every method, network and file.

A weight counts when it is not zero. A bias or a norm's affine value counts with its channel, whatever its
value: what has no live channel has been removed before anything is counted. Gates, latents and masks never
count.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from gnap_search.structure import Shape
from gnap_search.structure.layers import Norm

LINEAR = (nn.Conv2d, nn.Linear)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a network costs to keep and to run.

    `weights` are the non-zero weights of convolutions and fully connected layers; `parameters` adds every
    bias and norm affine value. `macs` are the multiply-accumulates for one image of the network as it stands,
    zero weights included; `live_macs` counts each non-zero weight once for every output position. `total` is
    the number of trainable values that are kept, zeros included.
    """

    parameters: int
    weights: int
    macs: int
    live_macs: int
    total: int


def count(network: nn.Module, shape: Shape) -> Cost:
    """The cost of a plain network: without parametrizations, and with its dead channels removed.

    One blank image of `shape` is sent through it, so that only layers that run are counted; the network is
    left as it was found. Folding changes nothing here but a norm's gain, which it merges into the weights.
    """
    weights = parameters = macs = live_macs = 0
    for layer, positions in _positions(network, shape).items():
        if isinstance(layer, LINEAR):
            live = int(torch.count_nonzero(layer.weight))
            weights += live
            macs += layer.weight.numel() * positions
            live_macs += live * positions
            parameters += live + _size(layer.bias)
        elif isinstance(layer, Norm):
            parameters += _size(layer.weight) + _size(layer.bias)
    total = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, weights, macs, live_macs, total)


def _positions(network: nn.Module, shape: Shape) -> dict[nn.Module, int]:
    """Layer -> how many outputs a channel it computes for one image, over all of its calls."""
    positions: dict[nn.Module, int] = {}

    def note(layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        channels = layer.weight.shape[0] if isinstance(layer, LINEAR) else output.shape[1]
        positions[layer] = positions.get(layer, 0) + output.numel() // max(1, channels)

    layers = [layer for layer in network.modules() if isinstance(layer, (*LINEAR, Norm))]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    training = [module for module in network.modules() if module.training]
    first = next(network.parameters())
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *shape, device=first.device, dtype=first.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for module in training:
            module.training = True
    return positions


def _size(values: Tensor | None) -> int:
    return 0 if values is None else values.numel()
