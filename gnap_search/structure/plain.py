"""Plain: the network that is measured, saved and exported, filled from the live one after every epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from gnap_search.structure.cost import Cost, Meter
from gnap_search.structure.model import Blueprint, Classifier
from gnap_search.structure.slots import effective


class Plain:
    """Follows a network in training; whatever depends on its widths alone is worked out once for them."""

    def __init__(self, blueprint: Blueprint, mean: float, deviation: float, device: str) -> None:
        self._blueprint, self._device = blueprint, device
        self._mean, self._deviation = mean, deviation
        self._classifier: Classifier | None = None

    @torch.no_grad()
    def follow(self, model: nn.Module, widths: Mapping[str, int]) -> Classifier:
        """The plain network of a live one with these widths, as it computes at this moment.

        While the widths stay, it is the same classifier with new values.
        """
        if self._classifier is None or self._classifier.widths != widths:
            self._classifier = self._build(widths)
            self._meter = Meter(self._classifier.network, self._blueprint.shape)
        for path, value in self._classifier.network.state_dict().items():
            value.copy_(effective(model, path))
        return self._classifier

    def cost(self) -> Cost:
        """What the plain network costs as it was followed last."""
        return self._meter()

    def _build(self, widths: Mapping[str, int]) -> Classifier:
        """Without drawing weights, which would be overwritten."""
        with torch.device("meta"):
            plain = Classifier(self._blueprint, widths, self._mean, self._deviation)
        plain.to_empty(device=self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
        plain.mean.fill_(self._mean)
        plain.deviation.fill_(self._deviation)
        return plain.eval()
