"""DHP: hypernetworks make the weights out of a latent for each group of channels; small latents are cut.

DHP: Differentiable Meta Pruning via HyperNetworks, Y. Li et al., arXiv 2003.13683 (2020), and its authors'
code, github.com/ofsoundof/dhp.

Every group of channels has a latent, one number a channel, which all layers that lead from or to the group
share. The weights of a layer between two latents z and y are made in three steps, for each pair of channels
by itself: their product and a bias, z y + b0; an embedding of it in 8 dimensions, (z y + b0) w1 + b1; a map
of that to the taps of the kernel. What is trained are the latents, maps and biases. After each step of the
optimiser the latents shrink by soft-thresholding, the proximal step of an l1 penalty. Nothing grows.

What makes the search stop: after an epoch, what would be left if the channels with |z| below the threshold
went costs at most the target plus `stop_limit`, as a share of what the network cost at first. It ends at the
latest when the finish begins. The weights are then made once for the channels that are kept, the
hypernetworks go, and the plain network trains on.

Image and logits have no latent that is pruned, a depth-wise filter has the latent of its group beside one of
its own, and the classifier is plain, as in the authors' code; there the channels that a residual network's
classifier reads stay, which is a setting here.

Deviations: the authors look every hundred batches whether the search is over, here it is once an epoch, so
the target may have been passed; and a search that is too short never gets there. Either way channels go, the
smallest latents first and equal ones, zeros above all, by chance, until the cost is at the target.
Latents have no weight decay. The learning rate does not start anew when the weights have become plain, it
falls in the finish alone. The maps and biases of a pair lie with outputs first. Defaults are our own: AdamW,
where the authors train classifiers by SGD at a rate of 0.1; a `regularization` of 1, where they have 1e-4 to
3e-4 with SGD on CIFAR and 0.1 with Adam; and `least_channels` of 1, where they keep 4.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gnap_search.contracts import Progress
from gnap_search.methods._cost import cost
from gnap_search.methods._fixed_widths import FixedWidths
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure.edits import Cut, Edit, Settle
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import Ends, ends

EMBEDDING = 8  # dimensions


class Latents(nn.Module):
    """A latent for each group of channels, float32 of its width, drawn from the normal distribution.

    Attributes:
        prunable: the groups that may lose channels.
        last_epoch: whether the coming finish ends the search; set before every epoch.
    """

    def __init__(self, widths: Mapping[str, int], whole: Collection[str]) -> None:
        """`whole` are the groups that keep all their channels."""
        super().__init__()
        self.of = nn.ParameterDict({group: torch.randn(width) for group, width in widths.items()})
        self.prunable = tuple(group for group in widths if group not in whole)
        self.last_epoch = False

    @property
    def widths(self) -> dict[str, int]:
        """Channels of every group."""
        return {group: len(latent) for group, latent in self.of.items()}

    @torch.no_grad()
    def smallest_first(self, staying: int) -> list[tuple[str, int]]:
        """Group and number of each channel that may go, by the magnitude of its latent; equal ones by chance.

        The `staying` largest of every group are not among them.
        """
        found: list[tuple[float, str, int]] = []
        for group in self.prunable:
            magnitude = self.of[group].abs().cpu()
            order = torch.randperm(len(magnitude))
            smallest = order[magnitude[order].argsort(stable=True)][: max(0, len(magnitude) - staying)]
            found += [(float(magnitude[channel]), group, channel) for channel in smallest.tolist()]
        chance = torch.randperm(len(found)).tolist()
        ranked = sorted(zip(found, chance, strict=True), key=lambda one: (one[0][0], one[1]))
        return [(group, channel) for (_, group, channel), _ in ranked]

    def below(self, threshold: float, order: Sequence[tuple[str, int]]) -> int:
        """How many channels of that order have a latent of a smaller magnitude than the threshold."""
        magnitudes = {group: self.of[group].detach().abs().tolist() for group in self.prunable}
        return sum(magnitudes[group][channel] < threshold for group, channel in order)


class HyperNetwork(nn.Module):
    """A parametrization that makes a layer's weight, outputs x inputs x kernel, out of two latents.

    What it stands over is the bias of its last step, which has the weight's shape.
    """

    def __init__(self, weight: Tensor, latents: Latents, between: Ends) -> None:
        super().__init__()
        outputs, inputs = weight.shape[:2]
        taps = weight[0, 0].numel()
        self._latents = [latents]  # in a list, where torch does not see it: the model itself keeps them
        self._from, self._span = between.source, between.span
        self._to = between.made or ""
        self.own = nn.Parameter(torch.randn(inputs)) if between.source is None else None
        self.bias0 = nn.Parameter(torch.zeros(outputs, inputs))
        self.weight1 = _uniform(1.0, outputs, inputs, EMBEDDING)
        self.bias1 = nn.Parameter(torch.zeros(outputs, inputs, EMBEDDING))
        self.weight2 = _uniform(1 / (EMBEDDING * inputs * taps), outputs, inputs, taps * EMBEDDING)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The bias that it begins with."""
        return torch.zeros_like(weight)

    def forward(self, bias: Tensor) -> Tensor:
        """The weight; to multiply and add up 8 numbers takes less time than many small matrix products."""
        pairs = torch.outer(self._latents[0].of[self._to], self._source()) + self.bias0
        embedded = pairs.unsqueeze(2) * self.weight1 + self.bias1
        taps = self.weight2.view(*pairs.shape, -1, EMBEDDING)
        return (taps * embedded.unsqueeze(2)).sum(3).view_as(bias) + bias

    def _source(self) -> Tensor:
        """A latent for each input: its channel's, or the layer's own for images and depth-wise filters."""
        if self._from is None:
            assert self.own is not None
            return self.own
        latent: Tensor = self._latents[0].of[self._from]
        return latent.repeat_interleave(self._span)


def _uniform(variance: float, *shape: int) -> nn.Parameter:
    bound = math.sqrt(3 * variance)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


@dataclasses.dataclass(frozen=True)
class DHP(FixedWidths):
    """The settings of the method; the first two are what a search usually varies."""

    sparsity: ClassVar[str] = "structured"

    target: float = setting(0.5, "what is left of the network's cost", Bounds(0, 1))
    regularization: float = setting(
        1.0, "shrinkage of latents a step at a learning rate of 1", Bounds(0, 1e3)
    )
    resource: str = setting("flops", "what is counted as cost", Bounds(choices=("flops", "parameters")))
    stop_limit: float = setting(0.02, "cost above the target at which the search ends", Bounds(0, 1))
    threshold: float = setting(5e-3, "magnitude of a latent below which its channel goes", Bounds(0, 1))
    least_channels: int = setting(1, "channels of a group that stay", Bounds(1))
    classifier_inputs: str = setting(
        "pruned", "whether channels that the classifier reads may go", Bounds(choices=("pruned", "kept"))
    )

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """Latents for the model, and a hypernetwork for each layer that leads to channels."""
        layers = dict(model.named_modules())
        between = {
            path.removesuffix(".weight"): one
            for path, one in ends(blueprint, blueprint.groups).items()
            if path.removesuffix(".weight") in layers
        }
        made = {name: one for name, one in between.items() if one.made}
        widths = {one.target: len(layers[name].weight) for name, one in made.items() if one.target}
        read = {one.source for one in between.values() if one.source and not one.target}
        latents = Latents(widths, () if self.classifier_inputs == "pruned" else read)
        for name, one in made.items():
            network = HyperNetwork(layers[name].weight, latents, one)
            parametrize.register_parametrization(layers[name], "weight", network, unsafe=True)
        model.latents = latents

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Note whether the search ends with the coming epoch."""
        latents = _latents(model)
        if latents is None:
            return "finishing"
        latents.last_epoch = progress.done + 1 >= progress.finish
        return "pruning"

    @torch.no_grad()
    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Soft-threshold each latent that has more large entries than have to stay."""
        latents = _latents(model)
        assert latents is not None
        for group in latents.prunable:
            latent = latents.of[group]
            magnitude = latent.abs()
            shrunk = latent.sign() * (magnitude - rate * self.regularization).clamp_min(0)
            free = (magnitude >= self.threshold).sum() > self.least_channels
            latent.copy_(torch.where(free, shrunk, latent))

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Once the target is in reach, or it is time: keep the channels with the largest latents."""
        latents = _latents(model)
        assert latents is not None
        widths = {**dict.fromkeys(blueprint.groups, 0), **latents.widths}
        first = history[0].widths if history else widths
        allowed = (self.target + self.stop_limit) * self._cost(blueprint, first)
        order = latents.smallest_first(self.least_channels)

        def kept(removed: int) -> dict[str, list[int]]:
            gone = set(order[:removed])
            return {
                group: [channel for channel in range(widths[group]) if (group, channel) not in gone]
                for group in latents.prunable
            }

        def affordable(removed: int) -> bool:
            left = {group: len(channels) for group, channels in kept(removed).items()}
            return self._cost(blueprint, {**widths, **left}) <= allowed

        if not (latents.last_epoch or affordable(latents.below(self.threshold, order))):
            return []
        channels = kept(bisect.bisect_left(range(len(order)), 1, key=affordable))
        return [
            Settle(),
            *(Cut(group, tuple(one)) for group, one in channels.items() if len(one) < widths[group]),
        ]

    def _cost(self, blueprint: Blueprint, widths: Mapping[str, int]) -> int:
        return cost(blueprint, self.resource, tuple(widths.items()))


METHOD = DHP


def _latents(model: nn.Module) -> Latents | None:
    """Those of a model; None once it consists of plain weights."""
    found = dict(model.named_children()).get("latents")
    return found if isinstance(found, Latents) else None
