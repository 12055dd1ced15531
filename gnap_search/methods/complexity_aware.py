"""Complexity-aware training: filters and layers are kept by chance, and the chances learn to be 0 or 1.

Complexity-Aware Training of Deep Neural Networks for Optimal Structure Discovery, V. Guenter and A. Sideris,
arXiv 2411.09127 (2024), with their arXiv 2205.04650 and 2406.04549 for filters and for layers alone.

Each filter, and each layer that has a way around it, has a probability `theta`. For every image it is drawn
whether they take part; the probabilities learn together with the weights, by the loss's gradient to what was
drawn, and the loss carries a price for the complexity that is to be expected: the parameters and the
multiply-accumulates of the network, in closed form of the probabilities. What a filter costs so follows from
its neighbours, and falls as they vanish. Since the expected loss is linear in each probability, and the price
too, its minimum lies where all are 0 or 1.

What makes it prune: a filter or layer goes where its probability has fallen to almost 0 and the loss hardly
asks for it any more, by less than a share of its price. Late in the finish every probability becomes the
nearer one of 0 and 1, and what is left is trained as any other network. Nothing grows.

Draws disturb what a deep network learns first. With a `warmup_share` all of it is kept, at no price, in the
first epochs; then the price rises, or stands in full at once where the share is 1.

**This is a reconstruction.** Abstracts alone of the three papers are public to us. They say: Bernoulli
variables on filters and layers, a flattening prior that drives their parameters to 0 or 1, weights for
parameters and for computation, three user parameters, removal by the domains of attraction of a differential
equation. That the divergence from the flattening prior, at its optimum, amounts to a price that is linear in
the probability we derived; the price's form, the straight-through gradient, the test for removal and every
constant are our choices. So is a draw for each image: with one for a whole batch the gradients to the
probabilities were mostly chance, and norms saw another network in every step (docs/methods.md). Points of a
running trial are measured with each filter multiplied by its probability.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import ParameterGroup, Progress
from gnap_search.methods import _cost, _readers
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure.edits import Cut, Edit
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import ends

LEAST = 1e-3  # a probability that has come to zero: a filter must not be dead before it is removed
SMOOTHING = 0.02  # of the running mean of what the loss asks for, a step


class Bernoulli(nn.Module):
    """The probabilities of some filters, or of one layer, and the draws of this batch.

    Attributes:
        asked: running mean of what each variable would take off the loss, in nats; below zero where it adds.
    """

    asked: Tensor

    def __init__(self, count: int, start: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((count,), start))
        self.register_buffer("asked", torch.zeros(count))
        self._drawn: Tensor | None = None

    @property
    def draws(self) -> bool:
        """Whether chance decides: in training, until all is certain."""
        return self.training and self.theta.requires_grad

    def masks(self) -> Tensor:
        """What weights are multiplied by: the probabilities, where images are not masked already."""
        return torch.ones_like(self.theta) if self.draws else self.theta

    def drawn(self, images: int) -> Tensor:
        """This batch's draws, images x variables; whoever asks gets the same ones until the next batch."""
        if self._drawn is None:
            hard = (torch.rand(images, len(self.theta), device=self.theta.device) < self.theta).float()
            self._drawn = hard + (self.theta - self.theta.detach())  # gradients go to the probabilities
            self._drawn.retain_grad()
        return self._drawn

    @torch.no_grad()
    def end_batch(self) -> None:
        """Take down what the loss asked for, and forget the draws."""
        if self._drawn is not None and self._drawn.grad is not None:
            self.asked.lerp_(-self._drawn.grad.sum(0), SMOOTHING)
        self._drawn = None


class Chances(nn.Module):
    """The variables of a group of channels: one a filter, and one for its layer where that may vanish.

    Of a block's groups the last one has the layer.
    """

    def __init__(self, width: int, start: float, *, layer: bool) -> None:
        super().__init__()
        self.filters = Bernoulli(width, start)
        self.layer = Bernoulli(1, start) if layer else None

    def masks(self) -> Tensor:
        """A factor for what reads each channel."""
        return self.filters.masks()

    @torch.no_grad()
    def decide(self) -> None:
        """Make every probability the nearer one of 0 and 1; of a group that must exist one filter is 1.

        A layer that is 0 takes its filters with it: what is multiplied by 0 anyway need not be there.
        """
        likeliest = self.filters.theta.argmax() if len(self.filters.theta) else None
        for one in self.kinds:
            one.theta.round_()
        if self.layer is not None:
            self.filters.theta.mul_(self.layer.theta)
        elif likeliest is not None:
            self.filters.theta[likeliest] = 1.0

    @property
    def kinds(self) -> tuple[Bernoulli, ...]:
        """Those of the filters, and that of the layer if there is one."""
        return (self.filters,) if self.layer is None else (self.filters, self.layer)


class Terms(nn.Module):
    """The products that complexity is a sum of: for each weight its kernel times inputs times outputs.

    `sources` and `targets` are places in the list of groups; the place behind the last one stands for what
    is no group, and has the width 1. `layers` are, for a weight into an earlier group of a block, the place
    of that block's last group, whose layer gate multiplies its price too. `kernels` and `macs` are the
    weights, and the multiply-accumulates for one image, that a pair of channels has.
    """

    sources: Tensor
    targets: Tensor
    layers: Tensor
    kernels: Tensor
    macs: Tensor

    def __init__(
        self, sources: Tensor, targets: Tensor, layers: Tensor, kernels: Tensor, macs: Tensor
    ) -> None:
        super().__init__()
        named = {"sources": sources, "targets": targets, "layers": layers, "kernels": kernels, "macs": macs}
        for name, values in named.items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, widths: Tensor, layers: Tensor) -> Tensor:
        """Weights, and multiply-accumulates for one image, of groups of these expected widths and layers."""
        extended, needed = (torch.cat([values, values.new_ones(1)]) for values in (widths, layers))
        pairs = extended[self.sources] * extended[self.targets] * needed[self.layers]
        return torch.stack([(pairs * self.kernels).sum(), (pairs * self.macs).sum()])


def terms(blueprint: Blueprint, groups: tuple[str, ...]) -> Terms:
    """Those of a network; shifts and gains are in none, because they are few beside its weights."""
    return Terms(*_terms(blueprint, groups))


@functools.lru_cache(maxsize=16)
def _terms(blueprint: Blueprint, groups: tuple[str, ...]) -> tuple[Tensor, ...]:
    ones = tuple((group, 1) for group in groups)
    network, runs = _cost.shapes(blueprint, ones), _cost.positions_of(blueprint, ones)
    places = {group: place for place, group in enumerate(groups)} | {None: len(groups)}
    last = {group: last for last, block in blueprint.block_of_layer.items() for group in block}
    sources, targets, layers, kernels, outputs = [], [], [], [], []
    for path, end in ends(blueprint, groups).items():
        sources.append(places[end.source])
        targets.append(places[end.made])
        layer = last.get(end.made) if end.made else None
        layers.append(places[None if layer == end.made else layer])
        kernels.append(network.get_parameter(path).numel())  # at widths of 1, all but a pair of channels
        outputs.append(runs[path.rpartition(".")[0]])
    weights, times = (torch.tensor(values, dtype=torch.float32) for values in (kernels, outputs))
    return *(torch.tensor(one) for one in (sources, targets, layers)), weights, weights * times


class Variables(nn.Module):
    """The chances of all groups, kept in a network beside its layers.

    Attributes:
        whole: weights and multiply-accumulates of the network that the training began with.
        risen: the share of the price that is asked by now.
        every: all Bernoulli variables, those of filters and those of layers.
    """

    whole: Tensor
    risen: Tensor

    def __init__(self, chances: Mapping[str, Chances], of: Terms) -> None:
        super().__init__()
        self.of, self.terms = nn.ModuleDict(chances), of
        self.chances = dict(chances)
        self.every = [kind for one in chances.values() for kind in one.kinds]
        widths = torch.tensor([float(len(one.filters.theta)) for one in chances.values()])
        self.register_buffer("whole", of(widths, torch.ones_like(widths)))
        self.register_buffer("risen", torch.zeros(()), persistent=False)

    def shares(self, layer_share: float) -> Tensor:
        """Expected weights and multiply-accumulates as shares of the whole.

        Their gradients to layers are `2 x layer_share` of what they are, and to filters what is left of 2.
        """
        widths, layers = [], []
        for one in self.chances.values():
            width = _weighted(one.filters.theta.sum(), 1 - layer_share)
            layer = None if one.layer is None else _weighted(one.layer.theta[0], layer_share)
            widths.append(width if layer is None else width * layer)
            layers.append(torch.ones_like(width) if layer is None else layer)
        shares: Tensor = self.terms(torch.stack(widths), torch.stack(layers)) / self.whole
        return shares


def _mask_images(model: nn.Module, blueprint: Blueprint, groups: Mapping[str, Chances]) -> None:
    """In training, multiply what layers read by its filters' draws, and what layers give by their own."""
    for reader in _readers.readers(model, blueprint, groups):
        group = groups[reader.group]
        reader.layer.register_forward_pre_hook(functools.partial(_drop_filters, group.filters, reader.span))
        if group.layer is not None and reader.unit is not None:
            reader.unit.register_forward_hook(functools.partial(_drop_layer, group.layer))


def _drop_filters(filters: Bernoulli, span: int, _: nn.Module, inputs: tuple[Tensor]) -> Tensor | None:
    if not filters.draws:
        return None
    return _masked(inputs[0], filters.drawn(len(inputs[0])).repeat_interleave(span, 1))


def _drop_layer(layer: Bernoulli, _: nn.Module, __: tuple[Tensor], outputs: Tensor) -> Tensor | None:
    return _masked(outputs, layer.drawn(len(outputs))) if layer.draws else None


def _masked(values: Tensor, draws: Tensor) -> Tensor:
    """Values of images times draws, images x variables, each for a channel or one for all of them."""
    factors = draws.to(values.dtype)
    if values.ndim == 2:
        return values * factors
    channels, _, width = values.shape[1:]
    # A row of pixels at a time: few channels alone would make no vector.
    rows = values.permute(0, 2, 3, 1).flatten(2) * factors.expand(-1, channels).repeat(1, width).unsqueeze(1)
    masked: Tensor = rows.unflatten(2, (width, channels)).permute(0, 3, 1, 2)
    return masked


def _weighted(value: Tensor, share: float) -> Tensor:
    """The value, whose gradient is `2 x share` of what it is."""
    return value.detach() + 2 * share * (value - value.detach())


@dataclasses.dataclass(frozen=True)
class ComplexityAware:
    """The settings of the method; the first three are the paper's user parameters."""

    sparsity: ClassVar[str] = "structured"

    pruning_strength: float = setting(0.3, "price of the whole network's complexity, in nats", Bounds(0, 100))
    layer_share: float = setting(0.5, "weight of layers against filters in the price", Bounds(0, 1))
    macs_share: float = setting(0.0, "weight of MACs against parameters in the price", Bounds(0, 1))
    theta_start: float = setting(0.99, "probability that a filter or layer begins with", Bounds(0.01, 1))
    theta_learning_rate: float = setting(3e-2, "learning rate of the probabilities (Adam)", Bounds(0, 1))
    removal_share: float = setting(
        0.5, "a filter or layer may go once the loss asks for less than this share of its price", Bounds(0, 1)
    )
    warmup_share: float = setting(
        0.0, "share of the epochs before the finish that keep everything", Bounds(0, 1)
    )
    freeze_share: float = setting(
        0.3, "share of the finish after which all is 0 or 1; in its last epoch it is", Bounds(0, 1)
    )

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """Variables for every group of channels; what reads a channel reads it times its variable."""
        groups = blueprint.groups
        widths = _readers.widths_of(model, blueprint, groups)
        chances = {
            group: Chances(width, self.theta_start, layer=group in blueprint.block_of_layer)
            for group, width in widths.items()
        }
        model.variables = Variables(chances, terms(blueprint, groups))
        _readers.mask_readers(model, blueprint, chances)
        _mask_images(model, blueprint, chances)

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """The probabilities learn at their own rate."""
        return (ParameterGroup(".theta", self.theta_learning_rate),)

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Let the network warm up, then raise the price; late in the finish decide every probability."""
        late = progress.finished_share >= self.freeze_share or progress.done + 1 == progress.total
        decided = progress.finishing and late
        begin = round(self.warmup_share * progress.finish)
        warming = progress.done < begin
        variables = _variables(model)
        variables.risen.fill_(_risen(progress, begin))
        if decided:
            for chances in variables.chances.values():
                chances.decide()
        for one in variables.every:
            one.theta.requires_grad_(not decided and not warming)
        if decided:
            return "finishing"
        return "warm-up" if warming else "pruning"

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The price of the expected complexity, in nats; None once all is decided."""
        variables = _variables(model)
        if not variables.every[0].theta.requires_grad:
            return None
        return self._price(variables)

    def _price(self, variables: Variables) -> Tensor:
        weights, macs = variables.shares(self.layer_share)
        price: Tensor = self.pruning_strength * ((1 - self.macs_share) * weights + self.macs_share * macs)
        return price * variables.risen

    @torch.no_grad()
    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Keep probabilities between almost 0 and 1."""
        del rate
        every = _variables(model).every
        if every[0].theta.requires_grad:
            thetas: list[Tensor] = [one.theta for one in every]
            torch._foreach_clamp_min_(thetas, LEAST)
            torch._foreach_clamp_max_(thetas, 1.0)
            for one in every:
                one.end_batch()

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """What has come to 0 and is not asked for any more; one filter of a group stays that must."""
        del history
        variables = _variables(model)
        if not variables.every[0].theta.requires_grad:
            return []  # nothing was drawn, or what was decided to be 0 is dead and goes for every method
        prices = dict(zip(variables.every, self._prices(variables), strict=True))
        edits: list[Edit] = []
        for group, one in variables.chances.items():
            gone = self._gone(one.filters, prices[one.filters])
            if one.layer is not None and bool(self._gone(one.layer, prices[one.layer]).all()):
                gone = torch.ones_like(gone)
            elif group not in blueprint.optional and len(gone):
                gone[one.filters.theta.argmax()] = False
            if bool(gone.any()):
                edits.append(Cut(group, tuple(torch.nonzero(~gone).flatten().tolist())))
        return edits

    def _gone(self, one: Bernoulli, price: Tensor) -> Tensor:
        return (one.theta <= LEAST) & (one.asked < self.removal_share * price)

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Nothing, ever."""
        del model, blueprint, history
        return []

    @torch.enable_grad()
    def _prices(self, variables: Variables) -> Sequence[Tensor]:
        """What each variable adds to the price if it is 1, in nats: the price is linear in each."""
        return torch.autograd.grad(self._price(variables), [one.theta for one in variables.every])


METHOD = ComplexityAware


def _risen(progress: Progress, begin: int) -> float:
    """The share of the price that an epoch asks: it rises from 0 at the epoch `begin` to 1 at the finish."""
    epochs = progress.finish - begin
    return min(1.0, max(0, progress.done - begin) / epochs) if epochs else 1.0


def _variables(model: nn.Module) -> Variables:
    found = model.variables
    assert isinstance(found, Variables)
    return found
