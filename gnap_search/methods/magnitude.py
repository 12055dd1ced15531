"""Magnitude: a wide network loses its smallest weights, many at first and fewer later, until enough are gone.

To prune, or not to prune, M. Zhu and S. Gupta, arXiv 1710.01878 (2017).

The density falls from 1 to its final value along the paper's cubic curve, from a share of the trial to the
beginning of its finish; before every epoch on the way the weights of least magnitude are masked, as many as
that takes. What is left then trains on under the falling learning rate. Nothing grows.

Deviations: the paper renews its masks every hundred steps or so, here it happens once an epoch; it ranks the
weights of each layer by themselves, which is a setting here, and by default all weights of the network
compete. A pruned weight stays pruned. Densities are shares of the weights that the network began with, also
after dead channels have been removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import Progress
from gnap_search.methods._fixed_widths import FixedWidths
from gnap_search.settings import Bounds, setting
from gnap_search.structure.masks import Mask, Masked, attach, masked
from gnap_search.structure.model import Blueprint


class PruningMask(Mask):
    """A mask that begins full.

    It remembers how many weights compete with its own, these included: `rivals`, a whole number, which stays
    when layers vanish.
    """

    rivals: Tensor

    def __init__(self, weight: Tensor, rivals: int) -> None:
        super().__init__(torch.ones_like(weight, dtype=torch.bool))
        self.register_buffer("rivals", torch.tensor(rivals))


@dataclasses.dataclass(frozen=True)
class Magnitude(FixedWidths):
    """The settings of the method; `seed_scale` decides how many weights it begins with."""

    sparsity: ClassVar[str] = "unstructured"

    density: float = setting(0.1, "share of the weights that is left in the end", Bounds(1e-4, 1))
    pruning_start: float = setting(0.1, "share of the trial before pruning begins", Bounds(0, 1))
    ranking: str = setting("global", "what weights compete with", Bounds(choices=("global", "layer")))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A full mask over every weight."""
        del blueprint
        attach(model, self._masks)

    def _masks(self, weights: Sequence[Tensor]) -> list[PruningMask]:
        every = sum(weight.numel() for weight in weights)
        alone = self.ranking == "layer"
        return [PruningMask(weight, weight.numel() if alone else every) for weight in weights]

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Prune to the density that the coming epoch has; in the finish it is the final one."""
        layers, density = masked(model, PruningMask), self._density(progress)
        competing = [layers] if self.ranking == "global" else [[layer] for layer in layers]
        for group in competing:
            _keep_largest(group, density)
        return "finishing" if progress.finishing else "pruning"

    def _density(self, progress: Progress) -> float:
        """The paper's equation 1, for density instead of sparsity."""
        start = self.pruning_start * progress.total
        if progress.finishing:
            return self.density
        if progress.done <= start:
            return 1.0
        remaining = (progress.finish - progress.done) / (progress.finish - start)
        return self.density + (1 - self.density) * remaining**3


METHOD = Magnitude


@torch.no_grad()
def _keep_largest(layers: Sequence[Masked[PruningMask]], density: float) -> None:
    """Mask all but the largest weights of some layers that compete, of which a share may stay."""
    magnitudes = torch.cat([(layer.weight * layer.mask.kept).abs().flatten() for layer in layers])
    allowed = round(density * int(layers[0].mask.rivals))
    largest = magnitudes.topk(min(max(1, allowed), len(magnitudes))).indices
    chosen = torch.zeros_like(magnitudes, dtype=torch.bool).index_fill_(0, largest, value=True)
    for layer, part in zip(layers, chosen.split([layer.weight.numel() for layer in layers]), strict=True):
        layer.mask.kept.logical_and_(part.view(layer.weight.shape))
