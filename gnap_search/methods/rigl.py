"""RigL: a network that is sparse throughout drops its smallest weights and grows those with large gradients.

Rigging the Lottery: Making All Tickets Winners, U. Evci et al., arXiv 1911.11134 (2020).

It begins with a random mask. Between epochs each layer drops a fraction of its weights, those of least
magnitude, and takes as many others into use, those with the largest gradients; these begin at zero. The
fraction falls along a cosine, from `drop_fraction` to 0 at `update_share` of the trial; from there on the
mask is fixed. No layer ever has more weights than it was drawn with.

Deviations: the paper keeps the first layer dense under a uniform distribution, and here every layer has the
same density; every layer keeps at least one weight. The paper renews the mask every hundred steps, here it
happens once an epoch, because progress is known there, and because a step that is recorded on a GPU must not
branch; on small data that is more often. The gradient is that of the epoch's last batch, as the paper takes
that of one batch; the backward pass that trains leaves it in a buffer. Moments of a new weight are what is
left of them rather than zero. Dead channels are removed with what weights they have, where the paper may
revive them; nothing makes up for these weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import Progress
from gnap_search.methods._fixed_widths import FixedWidths
from gnap_search.settings import Bounds, setting
from gnap_search.structure import masks
from gnap_search.structure.model import Blueprint


class _DenseGradient(torch.autograd.Function):
    """`weight * kept`, whose backward pass writes down the gradient as it arrives, before it is masked."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, kept: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.gradient = gradient  # not saved as `kept` is, because it is written to
        return weight * kept

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        (arriving,) = gradients
        ctx.gradient.copy_(arriving)
        return arriving * kept, None, None


class GrowingMask(masks.Mask):
    """A mask that knows the newest gradient of all weights, also of those that are not kept."""

    gradient: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__(kept)
        self.register_buffer("gradient", torch.zeros(kept.shape))

    def forward(self, weight: Tensor) -> Tensor:
        product: Tensor = _DenseGradient.apply(weight, self.kept, self.gradient)  # type: ignore[no-untyped-call] # torch's
        return product


@dataclasses.dataclass(frozen=True)
class RigL(FixedWidths):
    """The settings of the method; `seed_scale` decides with `density` how many weights there are."""

    sparsity: ClassVar[str] = "unstructured"

    density: float = setting(0.2, "share of the weights in use", Bounds(1e-4, 1))
    distribution: str = setting(
        "erdos-renyi-kernel",
        "how the weights in use are shared among the layers",
        Bounds(choices=("uniform", "erdos-renyi-kernel")),
    )
    drop_fraction: float = setting(
        0.3,
        "share of a layer's weights that an update would drop at the very start; it falls from there",
        Bounds(0, 1),
    )
    update_share: float = setting(0.75, "share of the trial after which the mask is fixed", Bounds(0, 1))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A random mask over every weight, from the random state that draws the weights as well."""
        del blueprint
        masks.attach(model, self._masks)

    def _masks(self, weights: Sequence[Tensor]) -> list[GrowingMask]:
        return [GrowingMask(kept) for kept in masks.random(weights, self.density, self.distribution)]

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Renew the mask of every layer while it is time; before the first epoch no gradient is known."""
        fraction = self._fraction(progress)
        if progress.done:
            for weight, mask in masks.masked(model, GrowingMask):
                renew(weight, mask, fraction)
        return "pruning" if fraction else "finishing"

    def _fraction(self, progress: Progress) -> float:
        """The share of its weights that each layer drops now."""
        end = self.update_share * progress.total
        if progress.done >= end:
            return 0.0
        return self.drop_fraction / 2 * (1 + math.cos(math.pi * progress.done / end))


METHOD = RigL


@torch.no_grad()
def renew(weight: Tensor, mask: GrowingMask, fraction: float) -> None:
    """Drop that share of a layer's weights, and take as many into use; what was just dropped may return."""
    before = mask.kept.flatten()
    moving = int(fraction * int(before.sum()))
    magnitude = weight.abs().flatten().masked_fill(~before, math.inf)
    after = before.index_fill(0, magnitude.topk(moving, largest=False).indices, value=False)
    promise = mask.gradient.abs().flatten().masked_fill(after, -1.0)
    after.index_fill_(0, promise.topk(moving).indices, value=True)
    weight.masked_fill_((after & ~before).view(weight.shape), 0.0)
    mask.kept.copy_(after.view(weight.shape))
