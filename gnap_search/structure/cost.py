"""Cost: the one counting rule, for every method, network and file.

A weight counts when it is not zero. A bias or a norm's affine value counts with its channel, whatever its
value: what has no live channel has been removed before anything is counted. Gates, latents and masks never
count.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gnap_search.structure import Shape
from gnap_search.structure.norm import Norm

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
    left as it was found. Folding merges a norm's gain, and a bias in front of it, into what is left: up to
    two values fewer a channel.
    """
    return Meter(network, positions(network, shape))()


class Meter:
    """Counts one network again and again while its weights change: what does not change is counted once.

    Attributes:
        macs: the multiply-accumulates for one image, zero weights included.
    """

    def __init__(self, network: nn.Module, positions: Mapping[str, int]) -> None:
        """`positions` is what the function of that name gives for the network, or for it at other widths."""
        layers = [(network.get_submodule(name), times) for name, times in positions.items()]
        self._linear = [(layer, times) for layer, times in layers if isinstance(layer, LINEAR)]
        self._norms = [layer for layer, _ in layers if isinstance(layer, Norm)]
        self._values = list(network.parameters())
        self.resize()

    def resize(self) -> None:
        """Go by the widths of this moment from now on; there are the same layers as before."""
        self._affine = sum(_size(layer.bias) for layer, _ in self._linear)
        self._affine += sum(_size(layer.weight) + _size(layer.bias) for layer in self._norms)
        self.macs = sum(layer.weight.numel() * times for layer, times in self._linear)
        self._total = sum(parameter.numel() for parameter in self._values)

    def __call__(self) -> Cost:
        """The cost with the weights of this moment."""
        counts = [torch.count_nonzero(layer.weight) for layer, _ in self._linear]
        live: list[int] = torch.stack(counts).tolist()  # one transfer from the device
        weights = sum(live)
        live_macs = sum(number * times for number, (_, times) in zip(live, self._linear, strict=True))
        return Cost(weights + self._affine, weights, self.macs, live_macs, self._total)


def positions(network: nn.Module, shape: Shape) -> dict[str, int]:
    """Name of a layer that runs -> how many outputs a channel it computes for one image, in all its calls."""
    found: dict[str, int] = {}

    def note(name: str, layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        channels = layer.weight.shape[0] if isinstance(layer, LINEAR) else output.shape[1]
        found[name] = found.get(name, 0) + output.numel() // max(1, channels)

    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, (*LINEAR, Norm))]
    hooks = [layer.register_forward_hook(functools.partial(note, name)) for name, layer in layers]
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
    return found


def _size(values: Tensor | None) -> int:
    return 0 if values is None else values.numel()
