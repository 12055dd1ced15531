"""CGaP: the filters that matter most are split until a capacity is reached; then filters of small weights go.

CGaP: Continuous Growth and Pruning for Efficient Deep Learning, X. Du, Z. Li and Y. Cao, arXiv 1905.11530
(2019).

The network begins small. Over an epoch every filter or neuron gathers its saliency, the sum of |dL/dw * w|
over its weights and all batches; the backward pass leaves it in a buffer. Every few epochs a share of each
group's channels, those of greatest saliency, is split, until the group is `capacity` times as wide as it was.
In the finish the smallest weights of each layer are masked before every epoch, a share that rises to
`pruning_quantile`; after it the channels go whose filters have kept far fewer weights than their group's
average. What makes it stop: late in the finish the masks stay as they are, and what is left trains on.

What is left has zeros within its filters as well. So its sparsity counts as unstructured, though channels
have gone.

**This is a reconstruction.** Of the paper we know the abstract and a figure's caption: a small seed, growth
of important filters, a peak, then pruning of filters. Saliency as a sum of magnitudes, the child made of its
parent, masked weights and filters judged by them are recalled, not read; all constants are our choices. A
split keeps what the network computes but for noise, where the paper scales the child alone. A residual
stream's channels are judged by all filters that lead to them, because they live and die together. A filter
is compared with its group's average, not with a fixed share of zeros, which at a high quantile would take
every filter.

By measurement (docs/methods.md): zeros stay within filters, for the same accuracy at a third of the
parameters; the quantile rises over the pruning epochs, for it breaks small networks down where it is full at
once; filters go at half of the average, because at three quarters a few epochs take nearly all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import Progress
from gnap_search.methods._fixed_widths import FixedWidths
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure import masks
from gnap_search.structure.cost import LINEAR
from gnap_search.structure.edits import Cut, Edit, Split
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import ends


class _Salient(torch.autograd.Function):
    """`weight * kept`, whose backward pass adds each filter's saliency to what it had before."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, kept: Tensor, saliency: Tensor) -> Tensor:
        masked = weight * kept
        ctx.save_for_backward(masked, kept)
        ctx.saliency = saliency  # not saved as the others are, because it is written to
        return masked

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        masked, kept = ctx.saved_tensors
        (arriving,) = gradients
        ctx.saliency.add_((arriving * masked).abs().flatten(1).sum(1))
        return arriving * kept, None, None


class SaliencyMask(masks.Mask):
    """A mask over single weights, with the saliency of each filter since it was last set to zero.

    `fixed` says whether all filters stay in the epoch of the moment.
    """

    saliency: Tensor
    fixed = False

    def __init__(self, weight: Tensor) -> None:
        super().__init__(torch.ones_like(weight, dtype=torch.bool))
        self.register_buffer("saliency", torch.zeros(len(weight)))

    def forward(self, weight: Tensor) -> Tensor:
        product: Tensor = _Salient.apply(weight, self.kept, self.saliency)  # type: ignore[no-untyped-call] # torch's
        return product


@dataclasses.dataclass(frozen=True)
class CGaP(FixedWidths):
    """The settings of the method; the first two are what a search usually varies."""

    sparsity: ClassVar[str] = "unstructured"

    capacity: float = setting(3.0, "widths at most / widths at the start", Bounds(1, 64))
    pruning_quantile: float = setting(0.5, "share of each layer that is masked in the end", Bounds(0, 0.99))
    removal_share: float = setting(
        0.5, "large weights of a filter / the average, below which it goes", Bounds(0, 1)
    )
    growth_share: float = setting(0.5, "share of the channels that are split at a time", Bounds(0.01, 1))
    growth_period: int = setting(2, "epochs from growth to growth", Bounds(1))
    child_share: float = setting(0.5, "what a child takes over of its parent", Bounds(0, 1))
    birth_noise: float = setting(
        0.1, "noise of a child's weights / layer's own initialisation", Bounds(0, 10)
    )
    pruning_share: float = setting(0.5, "share of the finish in which filters are pruned", Bounds(0, 1))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A full mask over every weight."""
        del blueprint
        masks.attach(model, lambda weights: [SaliencyMask(weight) for weight in weights])

    @torch.no_grad()
    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Forget the saliency of the epoch before; in the pruning part of the finish, mask small weights.

        Their share is full in the last epoch of that part.
        """
        layers = masks.masked(model, SaliencyMask)
        pruned = progress.done - progress.finish + 1  # epochs by the end of this one
        share = self.pruning_share * (progress.total - progress.finish)
        epochs = math.ceil(round(share, 9))  # rounded first, because 0.28 * 25 is a little more than 7
        closing = 0 < pruned <= epochs
        for layer in layers:
            layer.mask.saliency.zero_()
            layer.mask.fixed = progress.finishing and not closing
            if closing:
                layer.mask.kept.copy_(larger(layer.weight, self.pruning_quantile * pruned / epochs))
        if closing:
            return "pruning"
        return "finishing" if progress.finishing else "growing"

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Remove the channels whose filters are left with far fewer weights than their group's average.

        Late in the finish none goes: with each that has gone the average rises, and would take more along.
        """
        del history
        if any(layer.mask.fixed for layer in masks.masked(model, SaliencyMask)):
            return []
        cuts: list[Edit] = []
        for group, kept in _of_channels(model, blueprint, lambda mask: mask.kept.flatten(1).sum(1)).items():
            keep = torch.nonzero(kept >= self.removal_share * kept.mean()).flatten().tolist()
            if len(keep) < len(kept):
                cuts.append(Cut(group, tuple(keep)))
        return cuts

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Split the most salient channels of every group that has room, once in a growth period."""
        if len(history) % self.growth_period:
            return []
        saliency = _of_channels(model, blueprint, lambda mask: mask.saliency)
        splits: list[Edit] = []
        for group, values in saliency.items():
            room = round(self.capacity * history[0].widths[group]) - len(values)
            count = min(math.ceil(self.growth_share * len(values)), room)
            if count > 0:
                parents = tuple(values.topk(count).indices.tolist())
                share = self.child_share
                splits.append(Split(group, parents, 1.0, share, 1 - share, self.birth_noise))
        return splits


METHOD = CGaP


def larger(weight: Tensor, quantile: float) -> Tensor:
    """Which weights of a layer are not among that share of it whose magnitude is least."""
    magnitudes = weight.abs()
    small = int(quantile * weight.numel())
    if not small:
        return torch.ones_like(weight, dtype=torch.bool)
    return magnitudes > magnitudes.flatten().kthvalue(small).values


def _of_channels(
    model: nn.Module, blueprint: Blueprint, value: Callable[[SaliencyMask], Tensor]
) -> dict[str, Tensor]:
    """Group -> a value for each channel, the sum over the filters of all layers that make the group."""
    leading = ends(blueprint, blueprint.groups)
    sums: dict[str, Tensor] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, LINEAR) or f"{name}.weight" not in leading:
            continue
        group = leading[f"{name}.weight"].made
        if group is not None:
            mask: Any = layer.parametrizations.weight[0]  # type: ignore[index, union-attr] # torch's
            sums[group] = sums.get(group, 0.0) + value(mask).float()
    return sums
