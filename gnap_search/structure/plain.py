"""Plain: the network that is measured, saved and exported, filled from the live one after every epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gnap_search.structure.cost import LINEAR, Cost, Meter, positions
from gnap_search.structure.model import Blueprint, Classifier, placed, undrawn
from gnap_search.structure.slots import parametrization
from gnap_search.structure.surgery import keep_up, laid_out


class Plain:
    """Follows a network in training; what depends on its layers or widths alone is worked out once for them.

    Attributes:
        weights: path -> weight of each convolution and fully connected layer of the network followed last.
    """

    weights: Mapping[str, Tensor]

    def __init__(self, blueprint: Blueprint, mean: float, deviation: float, device: str) -> None:
        self._blueprint, self._device = blueprint, device
        self._mean, self._deviation = mean, deviation
        self._classifier: Classifier | None = None
        self._followed: nn.Module | None = None
        self._positions: dict[frozenset[str], dict[str, int]] = {}  # of each set of layers, at any widths

    @torch.no_grad()
    def follow(self, model: nn.Module, widths: Mapping[str, int]) -> Classifier:
        """The plain network of a live one with these widths, as it computes at this moment.

        While no width grows and no layer goes, it is the same classifier with new values.
        """
        if self._classifier is None or not _within(widths, self._classifier.widths):
            self._classifier, self._followed = self._build(widths), None
        if self._followed is not model:
            self._pair(self._classifier.network, model)
        self._take()
        if widths != self._classifier.widths:
            self._resize(self._classifier, widths)
        return self._classifier

    def _take(self) -> None:
        """Give the plain network the values of the live one, and its shapes."""
        pairs = [*self._stored, *((value, computed()) for value, computed in self._computed)]
        for value, source in pairs:
            if value.shape != source.shape:
                value.data = laid_out(source)
        torch._foreach_copy_([value for value, _ in pairs], [source for _, source in pairs])

    def _resize(self, classifier: Classifier, widths: Mapping[str, int]) -> None:
        """Let what depends on a classifier's widths follow its tensors, which have these by now."""
        for layer in self._linear:
            keep_up(layer, layer.weight)
        classifier.widths = dict(widths)
        self._meter.resize()

    def _pair(self, network: nn.Module, model: nn.Module) -> None:
        """What has the same tensor in both, and what the method's parametrizations compute."""
        values, sources = (
            {**dict(one.named_parameters()), **dict(one.named_buffers())} for one in (network, model)
        )
        self._stored = [(value, sources[path]) for path, value in values.items() if path in sources]
        self._computed = [
            (value, parametrization(model, path)) for path, value in values.items() if path not in sources
        ]
        self._followed = model

    @property
    def macs(self) -> int:
        """The multiply-accumulates for one image of the network as it was followed last."""
        return self._meter.macs

    def cost(self) -> Cost:
        """What the plain network costs as it was followed last."""
        return self._meter()

    def _build(self, widths: Mapping[str, int]) -> Classifier:
        with undrawn():
            plain = Classifier(self._blueprint, widths, self._mean, self._deviation)
        placed(plain, self._device)
        layers = dict(plain.network.named_modules())
        linear = {name: layer for name, layer in layers.items() if isinstance(layer, LINEAR)}
        self.weights = {f"{name}.weight": layer.weight for name, layer in linear.items()}
        self._linear = list(linear.values())
        self._meter = self._metered(plain.network, frozenset(layers))
        return plain.eval()

    def _metered(self, network: nn.Module, layers: frozenset[str]) -> Meter:
        if layers not in self._positions:  # another block has vanished, or has come back
            self._positions[layers] = positions(network, self._blueprint.shape)
        return Meter(network, self._positions[layers])


def _within(widths: Mapping[str, int], before: Mapping[str, int]) -> bool:
    """Whether a network that had such widths has all layers of these, none of them too narrow."""
    return all(
        width == before.get(group) or 0 < width <= before.get(group, 0) for group, width in widths.items()
    )
