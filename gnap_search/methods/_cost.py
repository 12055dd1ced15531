"""Cost: what a network of some widths would cost, for methods that weigh widths before they choose."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import nn

from gnap_search.structure.cost import Meter, positions
from gnap_search.structure.model import Blueprint, undrawn
from gnap_search.structure.norm import Norm

Widths = tuple[tuple[str, int], ...]  # group and channels


@functools.lru_cache(maxsize=4096)
def cost(blueprint: Blueprint, resource: str, widths: Widths) -> int:
    """The `parameters` of a network of these widths, or the `macs` or `flops` of an image.

    `macs` are multiply-accumulates, and `flops` these and two for each normalised value, as the authors of
    DHP count.
    """
    network = shapes(blueprint, widths)
    if resource == "parameters":
        return sum(parameter.numel() for parameter in network.parameters())
    runs = positions_of(blueprint, tuple((group, min(1, width)) for group, width in widths))
    macs = Meter(network, runs).macs
    if resource == "macs":
        return macs
    modules = {name: network.get_submodule(name) for name in runs}
    return macs + sum(
        2 * len(one.bias) * runs[name] for name, one in modules.items() if isinstance(one, Norm)
    )


def shapes(blueprint: Blueprint, widths: Widths) -> nn.Module:
    """A network of these widths without any values."""
    with torch.device("meta"):
        return blueprint.build(dict(widths))


@functools.lru_cache(maxsize=64)
def positions_of(blueprint: Blueprint, present: Widths) -> Mapping[str, int]:
    """How many outputs a channel each layer computes for an image, with groups of 1 where any are there."""
    with undrawn():
        return positions(blueprint.build(dict(present)), blueprint.shape)
