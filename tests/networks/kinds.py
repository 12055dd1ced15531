"""Kinds: which networks have, between them, every kind of layer, and how wide a network is tested.

What methods, surgery and exporters see of a network are its layers. So where each of them meets networks,
those will do that bring a kind of layer which no network with fewer layers brings: the others would show the
same, for a hundred layers' time.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from torch import nn

from gnap_search import catalog
from gnap_search.structure.model import Blueprint
from gnap_search.structure.norm import Norm

SHAPE = (3, 32, 32)
CHANNELS = 150  # in all groups of a network
HALF = 0.5


def scale(network: str) -> float:
    """A half of the seed, or as much less as it takes for no more channels than tests have time for."""
    module, chosen = catalog.implementation("networks", network), HALF
    while sum(module.seed_widths(SHAPE, chosen).values()) > CHANNELS and chosen > 0.01:
        chosen /= 2
    return chosen


@functools.cache
def distinct() -> list[str]:
    """The networks that bring a kind of layer which none with fewer layers has."""
    found = {network: list(_kinds(network)) for network in catalog.names("networks")}
    known: set[tuple[object, ...]] = set()
    chosen = []
    for network in sorted(found, key=lambda name: len(found[name])):
        if not known.issuperset(found[network]):
            chosen.append(network)
        known.update(found[network])
    return chosen


def _kinds(network: str) -> Iterator[tuple[object, ...]]:
    """Of each layer: its class, whether it has a bias or a gain, is depth-wise, and may be left out."""
    module = catalog.implementation("networks", network)
    widths = module.seed_widths(SHAPE, scale(network))
    kept = _layers(network, {**widths, **dict.fromkeys(Blueprint(network, SHAPE, 10).optional, 0)})
    for name, layer in _layers(network, widths).items():
        depthwise = getattr(layer, "groups", 1) > 1
        yield type(layer), layer.bias is not None, layer.weight is not None, depthwise, name not in kept


def _layers(network: str, widths: Mapping[str, int]) -> dict[str, nn.Conv2d | nn.Linear | Norm]:
    model = Blueprint(network, SHAPE, 10).build(widths)
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear | Norm)
    }
