"""Static sparse: weights that are drawn when the network is built train; all others stay zero for good.

It tells what sparsity is worth when nobody chooses which weights stay. The distribution over layers follows
Evci et al., Rigging the Lottery, arXiv 1911.11134 (2020), where this is the baseline `Static`; the older
Erdos-Renyi form without kernels is Mocanu et al., arXiv 1707.04780.

Nothing grows and no weight is pruned. Channels without a drawn weight on one side lead nowhere: they go after
the first epoch, and those of their weights that were drawn go with them.

Deviations: the paper keeps the first layer dense under a uniform distribution, and here every layer has the
same density; every layer keeps at least one weight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gnap_search.methods._fixed_widths import FixedWidths
from gnap_search.settings import Bounds, setting
from gnap_search.structure import masks
from gnap_search.structure.model import Blueprint


@dataclasses.dataclass(frozen=True)
class StaticSparse(FixedWidths):
    """The settings of the method; `seed_scale` decides with them how many weights are left."""

    sparsity: ClassVar[str] = "unstructured"

    density: float = setting(0.2, "share of the weights that exist", Bounds(1e-4, 1))
    distribution: str = setting(
        "erdos-renyi-kernel",
        "how the weights in use are shared among the layers",
        Bounds(choices=("uniform", "erdos-renyi-kernel")),
    )

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A random mask over every weight, from the random state that draws the weights as well."""
        del blueprint
        masks.attach(model, self._masks)

    def _masks(self, weights: Sequence[Tensor]) -> list[masks.Mask]:
        return [masks.Mask(kept) for kept in masks.random(weights, self.density, self.distribution)]


METHOD = StaticSparse
