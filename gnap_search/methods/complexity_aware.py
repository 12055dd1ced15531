"""Complexity-aware training: filters and layers are kept by chance, and the chances learn to be 0 or 1.

Complexity-Aware Training of Deep Neural Networks for Optimal Structure Discovery, V. Guenter and A. Sideris,
arXiv 2411.09127 (2024), with their arXiv 2205.04650 and 2406.04549 for filters and for layers alone.

Each filter, and each layer that has a way around it, has a probability `theta`. For every batch it is drawn
whether they take part; the probabilities learn together with the weights, by the loss's gradient to what was
drawn, and the loss carries a price for the complexity that is to be expected: the parameters and the
multiply-accumulates of the network, in closed form of the probabilities. What a filter costs so follows from
its neighbours, and falls as they vanish. Since the expected loss is linear in each probability, and the price
too, its minimum lies where all are 0 or 1.

What makes it prune: a filter or layer goes where its probability has fallen to almost 0 and the loss hardly
asks for it any more, by less than a share of its price. Late in the finish every probability becomes the
nearer one of 0 and 1, and what is left is trained as any other network. Nothing grows.

**This is a reconstruction.** Abstracts alone of the three papers are public to us. They say: Bernoulli
variables on filters and layers, a flattening prior that drives their parameters to 0 or 1, weights for
parameters and for computation, three user parameters, removal by the domains of attraction of a differential
equation. That the divergence from the flattening prior, at its optimum, amounts to a price that is linear in
the probability we derived; the price's form, the straight-through gradient, the test for removal and every
constant are our choices. Points of a running trial are measured with each filter multiplied by its
probability.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import ParameterGroup, Progress
from gnap_search.methods import _readers
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure.cost import positions
from gnap_search.structure.edits import Cut, Edit
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import ends

LEAST = 1e-3  # a probability that has come to zero: a filter must not be dead before it is removed
SMOOTHING = 0.02  # of the running mean of what the loss asks for, a step


class _Drawn(torch.autograd.Function):
    """Which variables are 1; the gradient goes to the probabilities as it is, and is written down."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, dice: Tensor, pressure: Tensor) -> Tensor:
        ctx.pressure = pressure
        return (dice < theta).to(theta.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        ctx.pressure.add_(gradient)
        return gradient, None, None


class Bernoulli(nn.Module):
    """The probabilities of some filters, or of one layer, and the draw of this batch.

    Attributes:
        asked: running mean of the size of the loss's gradient to each variable, in nats.
    """

    dice: Tensor
    pressure: Tensor
    asked: Tensor

    def __init__(self, count: int, start: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((count,), start))
        self.register_buffer("asked", torch.zeros(count))
        self.register_buffer("dice", torch.zeros(count), persistent=False)
        self.register_buffer("pressure", torch.zeros(count), persistent=False)

    def masks(self) -> Tensor:
        """A draw in training, and otherwise the probabilities themselves, a value a variable."""
        if not (self.training and self.theta.requires_grad):
            return self.theta
        drawn: Tensor = _Drawn.apply(self.theta, self.dice, self.pressure)  # type: ignore[no-untyped-call] # torch's
        return drawn

    @torch.no_grad()
    def draw(self) -> None:
        """Take down what the loss asked for in this step, and draw for the next one."""
        self.asked.lerp_(self.pressure.abs(), SMOOTHING)
        self.pressure.zero_()
        self.dice.uniform_()


class Chances(nn.Module):
    """The variables of a group of channels: one a filter, and one for its layer where that may vanish."""

    def __init__(self, width: int, start: float, *, optional: bool) -> None:
        super().__init__()
        self.filters = Bernoulli(width, start)
        self.layer = Bernoulli(1, start) if optional else None

    def masks(self) -> Tensor:
        """What is drawn for each channel."""
        return self.filters.masks()

    @torch.no_grad()
    def decide(self) -> None:
        """Make every probability the nearer one of 0 and 1; of a group that must exist one filter is 1."""
        likeliest = self.filters.theta.argmax() if len(self.filters.theta) else None
        for one in self.kinds:
            one.theta.round_()
        if likeliest is not None and self.layer is None:
            self.filters.theta[likeliest] = 1.0

    @property
    def kinds(self) -> tuple[Bernoulli, ...]:
        """Those of the filters, and that of the layer if there is one."""
        return (self.filters,) if self.layer is None else (self.filters, self.layer)


class Terms(nn.Module):
    """The products that complexity is a sum of: for each weight its kernel times inputs times outputs.

    `sources` and `targets` are places in the list of groups; the place behind the last one stands for what
    is no group, and has the width 1. `kernels` and `macs` are the weights, and the multiply-accumulates for
    one image, that a pair of channels has.
    """

    sources: Tensor
    targets: Tensor
    kernels: Tensor
    macs: Tensor

    def __init__(self, sources: Tensor, targets: Tensor, kernels: Tensor, macs: Tensor) -> None:
        super().__init__()
        named = {"sources": sources, "targets": targets, "kernels": kernels, "macs": macs}
        for name, values in named.items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, widths: Tensor) -> Tensor:
        """Weights, and multiply-accumulates for one image, of groups of these expected widths."""
        extended = torch.cat([widths, widths.new_ones(1)])
        pairs = extended[self.sources] * extended[self.targets]
        return torch.stack([(pairs * self.kernels).sum(), (pairs * self.macs).sum()])


def terms(blueprint: Blueprint, groups: tuple[str, ...]) -> Terms:
    """Those of a network; shifts and gains are in none, because they are few beside its weights."""
    return Terms(*_terms(blueprint, groups))


@functools.lru_cache(maxsize=16)
def _terms(blueprint: Blueprint, groups: tuple[str, ...]) -> tuple[Tensor, ...]:
    with torch.random.fork_rng(devices=[]):  # what is drawn is thrown away, and nobody else must miss it
        network = blueprint.build(dict.fromkeys(groups, 1))
    runs = positions(network, blueprint.shape)
    places = {group: place for place, group in enumerate(groups)} | {None: len(groups)}
    sources, targets, kernels, outputs = [], [], [], []
    for path, end in ends(blueprint, groups).items():
        sources.append(places[end.source])
        targets.append(places[end.filtered if end.target is None and end.filtered else end.target])
        kernels.append(network.get_parameter(path).numel())  # at widths of 1, all but a pair of channels
        outputs.append(runs[path.rpartition(".")[0]])
    weights, times = (torch.tensor(values, dtype=torch.float32) for values in (kernels, outputs))
    return torch.tensor(sources), torch.tensor(targets), weights, weights * times


class Variables(nn.Module):
    """The chances of all groups, kept in a network beside its layers.

    Attributes:
        whole: weights and multiply-accumulates of the network that the training began with.
        every: all Bernoulli variables, those of filters and those of layers.
    """

    whole: Tensor

    def __init__(self, chances: Mapping[str, Chances], of: Terms) -> None:
        super().__init__()
        self.of, self.terms = nn.ModuleDict(chances), of
        self.chances = dict(chances)
        self.every = [kind for one in chances.values() for kind in one.kinds]
        widths = torch.tensor([float(len(one.filters.theta)) for one in chances.values()])
        self.register_buffer("whole", of(widths))

    def shares(self, layer_share: float) -> Tensor:
        """Expected weights and multiply-accumulates as shares of the whole.

        Their gradients to layers are `2 x layer_share` of what they are, and to filters what is left of 2.
        """
        widths = []
        for one in self.chances.values():
            width = _weighted(one.filters.theta.sum(), 1 - layer_share)
            widths.append(width if one.layer is None else width * _weighted(one.layer.theta[0], layer_share))
        shares: Tensor = self.terms(torch.stack(widths)) / self.whole
        return shares


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
    theta_start: float = setting(0.9, "probability that a filter or layer begins with", Bounds(0.01, 1))
    theta_learning_rate: float = setting(3e-2, "learning rate of the probabilities (Adam)", Bounds(0, 1))
    removal_share: float = setting(0.5, "share of its price that nothing removed is asked for", Bounds(0, 1))
    freeze_share: float = setting(0.3, "share of the finish after which all is 0 or 1", Bounds(0, 1))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """Variables for every group of channels; what reads a channel is multiplied by its variable."""
        groups = blueprint.groups
        widths = _readers.widths_of(model, blueprint, groups)
        chances = {
            group: Chances(width, self.theta_start, optional=group in blueprint.optional)
            for group, width in widths.items()
        }
        model.variables = Variables(chances, terms(blueprint, groups))
        _readers.parametrize(model, blueprint, chances)

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """The probabilities learn at their own rate."""
        return (ParameterGroup(".theta", self.theta_learning_rate),)

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Draw for the first batch; late in the finish decide every probability."""
        decided = progress.finishing and progress.finished_share >= self.freeze_share
        variables = _variables(model)
        if decided:
            for chances in variables.chances.values():
                chances.decide()
        for one in variables.every:
            one.theta.requires_grad_(not decided)
            one.draw()
        return "finishing" if decided else "pruning"

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The price of the expected complexity, in nats; None once all is decided."""
        variables = _variables(model)
        if not variables.every[0].theta.requires_grad:
            return None
        return self._price(variables)

    def _price(self, variables: Variables) -> Tensor:
        weights, macs = variables.shares(self.layer_share)
        price: Tensor = self.pruning_strength * ((1 - self.macs_share) * weights + self.macs_share * macs)
        return price

    @torch.no_grad()
    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Keep probabilities between almost 0 and 1, and draw for the next batch."""
        del rate
        every = _variables(model).every
        if every[0].theta.requires_grad:
            thetas: list[Tensor] = [one.theta for one in every]
            torch._foreach_clamp_min_(thetas, LEAST)
            torch._foreach_clamp_max_(thetas, 1.0)
            for one in every:
                one.draw()

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """What has come to 0 and is not asked for any more; one filter of a group stays that must."""
        del history
        variables = _variables(model)
        if not variables.every[0].theta.requires_grad:
            return []  # what was decided to be 0 is dead, and goes for every method
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


def _variables(model: nn.Module) -> Variables:
    found = model.variables
    assert isinstance(found, Variables)
    return found
