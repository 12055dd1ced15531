"""Plain: the network that is measured, saved and exported, filled from the live one after every epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from gnap_search.structure.cost import Cost, Meter, positions
from gnap_search.structure.model import Blueprint, Classifier
from gnap_search.structure.slots import effective


class Plain:
    """Follows a network in training; whatever depends on its widths alone is worked out once for them."""

    def __init__(self, blueprint: Blueprint, mean: float, deviation: float, device: str) -> None:
        self._blueprint, self._device = blueprint, device
        self._mean, self._deviation = mean, deviation
        self._classifier: Classifier | None = None
        self._followed: nn.Module | None = None
        self._positions: dict[frozenset[str], dict[str, int]] = {}  # of each set of layers, at any widths

    @torch.no_grad()
    def follow(self, model: nn.Module, widths: Mapping[str, int]) -> Classifier:
        """The plain network of a live one with these widths, as it computes at this moment.

        While the widths stay, it is the same classifier with new values.
        """
        if self._classifier is None or self._classifier.widths != widths:
            self._classifier, self._followed = self._build(widths), None
            self._meter = self._metered(self._classifier.network)
        if self._followed is not model:
            self._pair(self._classifier.network, model)
        for value, source in self._stored:
            value.copy_(source)
        for value, path in self._computed:
            value.copy_(effective(model, path))
        return self._classifier

    def _pair(self, network: nn.Module, model: nn.Module) -> None:
        """What has the same tensor in both, and what the method's parametrizations compute."""
        values, sources = network.state_dict(), model.state_dict()
        self._stored = [(value, sources[path]) for path, value in values.items() if path in sources]
        self._computed = [(value, path) for path, value in values.items() if path not in sources]
        self._followed = model

    @property
    def macs(self) -> int:
        """The multiply-accumulates for one image of the network as it was followed last."""
        return self._meter.macs

    def cost(self) -> Cost:
        """What the plain network costs as it was followed last."""
        return self._meter()

    def _build(self, widths: Mapping[str, int]) -> Classifier:
        with torch.random.fork_rng(devices=[]):  # what is drawn is overwritten, and nobody else must miss it
            plain = Classifier(self._blueprint, widths, self._mean, self._deviation)
        laid_out: Classifier = plain.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
        return laid_out.eval()

    def _metered(self, network: nn.Module) -> Meter:
        layers = frozenset(name for name, _ in network.named_modules())
        if layers not in self._positions:  # another block has vanished, or has come back
            self._positions[layers] = positions(network, self._blueprint.shape)
        return Meter(network, self._positions[layers])
