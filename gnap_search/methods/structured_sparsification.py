"""Structured sparsification: filters and layers come and go by chance, as learnt masks say, under a budget.

Every filter of a full network, and every layer that may vanish, has a mask score; an epoch trains a small
network of those that were drawn. Masks and weights learn together, and so do growth and pruning.

Growing Efficient Deep Networks by Structured Continuous Sparsification, X. Yuan, P. Savarese and M. Maire,
arXiv 2007.15353 (ICLR 2021).

A structure with score `s` and temperature `b` is drawn with probability sigmoid(b s) after every epoch: what
is drawn and absent grows with fresh weights, what is there and not drawn is cut, and its score waits for the
next draw. Where it exists, the same number multiplies what it gives. Its temperature rises with the epochs
that it has been trained, so that the old are sure of their place and the young have to prove themselves. The
loss carries a price for all masks, which is a reward as long as the open structures cost less than the
budget. At the last draw the highest scores are taken that fit the budget; in the finish nothing is drawn, a
structure whose score falls to 0 is cut, unless the network would then use less than 97 % of the budget, and
from the middle of the finish on the masks are frozen. They stay multiplied into the weights, and no
fine-tuning follows.

**This is a reconstruction** from the paper's abstract, a caption and what is known of it from elsewhere, on
the base of Savarese, Silva and Maire, Winning the Lottery with Continuous Sparsification, arXiv 1912.04427.
The draws, one temperature for each structure, the price by the distance to the budget and the absence of
fine-tuning are the paper's; every constant is ours, and so is this: a filter's mask multiplies the weights
that read it, because the norm behind the filter would undo a factor on its own; of each layer's filters the
highest mask has no price; a layer's mask multiplies the last norm of its block. No draw goes far beyond the
budget: its threshold rises until it fits. Draws happen once an epoch. Scores are kept in [-1, 1], and a
structure is born with a score that lets it stay for a while. The full network, of which the budget is a
share, is as wide as `cap` says and has all layers.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import ParameterGroup, Progress
from gnap_search.methods import _readers
from gnap_search.methods._cost import cost
from gnap_search.methods._structures import Group, Scores, Structures, structures
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure.edits import Cut, Edit, Grow
from gnap_search.structure.model import Blueprint

TIES = 1e-3  # noise that tells apart what is equal
LEAST = 0.97  # of the budget is spent, also where masks that close in the finish would leave less


@dataclasses.dataclass(frozen=True)
class StructuredSparsification:
    """The settings of the method; the first is what a search varies."""

    sparsity: ClassVar[str] = "structured"

    budget: float = setting(0.05, "share of the full network that is wanted in the end", Bounds(1e-4, 1))
    resource: str = setting(
        "parameters", "what the budget is a share of", Bounds(choices=("parameters", "macs"))
    )
    cap: float = setting(4.0, "widths of the full network / the network's own", Bounds(0.01, 64))
    price: float = setting(0.01, "price or reward of an open mask at most, in nats", Bounds(0, 10))
    score_learning_rate: float = setting(2e-3, "learning rate of the scores (Adam)", Bounds(0, 1))
    first_temperature: float = setting(10.0, "temperature of a mask at first", Bounds(0.01, 1000))
    last_temperature: float = setting(
        100.0, "temperature of a mask trained for all epochs of a trial", Bounds(0.01, 1000)
    )
    seed_score: float = setting(0.5, "score of what exists at the start", Bounds(-1, 1))
    absent_score: float = setting(
        -0.3, "score of a structure that does not exist at the start", Bounds(-1, 1)
    )
    birth_score: float = setting(0.25, "least score of what is born; -1 leaves it as it is", Bounds(-1, 1))
    birth_scale: float = setting(0.3, "scale of the weights out of what is born", Bounds(0, 1))
    freeze_share: float = setting(0.5, "share of the finish after which masks are frozen", Bounds(0, 1))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A score for every structure that may exist, and masks over what reads the channels that do."""
        full = self._full_widths(blueprint)
        widths = _readers.widths_of(model, blueprint, tuple(full))
        groups = {
            name: Group(
                self._scores(places, min(widths[name], places)),
                self._scores(1, min(widths[name], 1)) if name in blueprint.block_of_layer else None,
                widths[name],
            )
            for name, places in full.items()
        }
        model.add_module("structures", Structures(blueprint, groups))
        _readers.mask_readers(model, blueprint, groups)

    def _full_widths(self, blueprint: Blueprint) -> dict[str, int]:
        return blueprint.seed_widths(self.cap)

    def _scores(self, places: int, present: int) -> Scores:
        scores = torch.full((places,), self.absent_score)
        scores[:present] = self.seed_score
        made = Scores(scores)
        made.warm(self.first_temperature, self.last_temperature, 1)
        return made

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """The scores learn at their own rate."""
        return (ParameterGroup(".score", self.score_learning_rate),)

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Welcome what has grown, let all masks harden, and set the price by how far the budget is."""
        every = structures(model)
        for group in every.named().values():
            group.welcome()
        frozen = progress.finishing and progress.finished_share >= self.freeze_share
        every.sampling = progress.done + 1 < progress.finish
        every.last = progress.done + 2 == progress.finish
        every.frozen = frozen
        for scores in every.scores():
            scores.score.requires_grad_(not frozen)
        if frozen:
            return "finishing"
        for group in every.named().values():
            group.grow_older()
        for scores in every.scores():
            scores.warm(self.first_temperature, self.last_temperature, progress.total)
        excess = self._cost(every.blueprint, every.open_widths()) / self._target(every.blueprint) - 1
        every.price.fill_(self.price * min(1.0, max(-1.0, excess)))
        return "pruning" if progress.finishing else "growing"

    def _target(self, blueprint: Blueprint) -> float:
        return self.budget * self._cost(blueprint, self._full_widths(blueprint))

    def _cost(self, blueprint: Blueprint, widths: Mapping[str, int]) -> int:
        return cost(blueprint, self.resource, tuple(widths.items()))

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The price of the masks, also of those of absent structures; None once they are frozen."""
        every = structures(model)
        if every.frozen:
            return None
        return every.price * every.priced()

    @torch.no_grad()
    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Keep the scores in [-1, 1], from where they can come back."""
        del rate
        every = structures(model)
        if not every.frozen:
            for scores in every.scores():
                scores.score.clamp_(-1, 1)

    @torch.no_grad()
    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Draw which structures exist next, and cut those that do not; in the finish, cut what is closed."""
        del history
        every = structures(model)
        if every.frozen:
            return []
        draw = Draw.of(every)
        if every.last:
            draw = self._in_budget(blueprint, draw)
        edits: list[Edit] = []
        for name, chosen in draw.chosen(self._threshold(blueprint, every, draw)).items():
            group = every.named()[name]
            place = group.place.cpu()
            kept = chosen[place]
            if every.sampling:
                self._want(group, chosen.to(group.wanted.device), last=every.last)
            if not kept.all():
                keep = torch.nonzero(kept).flatten().tolist()
                if not keep and chosen.any():
                    keep = [int(draw.filters[name][place].argmax())]
                edits.append(Cut(name, tuple(keep)))
        return edits

    def _want(self, group: Group, chosen: Tensor, *, last: bool) -> None:
        """Note what shall grow. What is born, and at last all that is chosen, has a birth's least score."""
        group.wanted.copy_(chosen & ~group.present)
        opened = chosen if last else group.wanted
        score = group.filters.score
        score.copy_(torch.where(opened, score.clamp(min=self.birth_score), score))
        if group.layer is not None and chosen.any() and (last or not len(group.place)):
            group.layer.score.clamp_(min=self.birth_score)

    def _threshold(self, blueprint: Blueprint, every: Structures, draw: Draw) -> float:
        """Above which value a structure exists: 0, or more where the budget wants it; at last just what fits.

        In the finish what is closed stays as long as the network would be too small without it.
        """
        fitting = self._fitting(blueprint, draw, 1.0)
        if every.last:
            return fitting
        if every.sampling:
            return max(0.0, fitting)
        return max(fitting, min(0.0, self._fitting(blueprint, draw, LEAST)))

    def _in_budget(self, blueprint: Blueprint, draw: Draw) -> Draw:
        """The draw, or the one nearest to the budget without blocks that would come whole past it."""
        draws: list[tuple[float, Draw]] = []
        left: Draw | None = draw
        while left is not None:
            sides = self._sides(blueprint, left, 1.0)
            draws.append((min(sides)[0], left))
            left = left.without(sides[-1][1])
        return min(draws, key=lambda one: one[0])[1]

    def _fitting(self, blueprint: Blueprint, draw: Draw, share: float) -> float:
        """Above which value the structures come nearest to that share of the budget."""
        return min(self._sides(blueprint, draw, share))[1]

    def _sides(self, blueprint: Blueprint, draw: Draw, share: float) -> list[tuple[float, float]]:
        """How far from that share of the budget they are just past it and just within; above which value."""
        target, values = share * self._target(blueprint), draw.values()

        def excess(place: int) -> float:
            return self._cost(blueprint, draw.widths(values[place])) - target

        fits = bisect.bisect_left(range(len(values) - 1), x=True, key=lambda place: excess(place) <= 0)
        return [(abs(excess(place)), values[place]) for place in range(max(0, fits - 1), fits + 1)]

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """What was drawn and is not there; of a block that has died since the draw all or nothing."""
        del history
        groups = structures(model).named()
        for block in blueprint.blocks:
            if not all(len(groups[name].place) or groups[name].wanted.any() for name in block):
                for name in block:
                    groups[name].wanted.zero_()
        return [
            Grow(name, count, self.birth_scale)
            for name, group in groups.items()
            if (count := int(group.wanted.sum()))
        ]


METHOD = StructuredSparsification


@dataclasses.dataclass(frozen=True)
class Draw:
    """A value for every structure: those above a threshold exist. At 0 that is a draw by their masks.

    All groups of a block have its layer's value.
    """

    filters: Mapping[str, Tensor]
    layers: Mapping[str, float]

    @classmethod
    def of(cls, every: Structures) -> Draw:
        """By chance while structures are sampled; at last only what is equal is told apart by chance.

        In the finish nothing exists that is absent, and there is no chance.
        """
        noise = (TIES if every.last else 1.0) if every.sampling else 0.0
        filters: dict[str, Tensor] = {}
        layers: dict[str, float] = {}
        blocks = every.blueprint.block_of_layer
        for name, group in every.named().items():
            values = _values(group.filters, noise)
            filters[name] = values if every.sampling else values.where(group.present.cpu(), -math.inf)
            if group.layer is not None:
                layers |= dict.fromkeys(blocks[name], float(_values(group.layer, noise)))
        return cls(filters, layers)

    def without(self, value: float) -> Draw | None:
        """The same without the blocks of this value; None where there is none."""
        if value == -math.inf or value not in self.layers.values():
            return None
        left = {name: -math.inf if one == value else one for name, one in self.layers.items()}
        return dataclasses.replace(self, layers=left)

    def chosen(self, threshold: float) -> dict[str, Tensor]:
        """Which structures exist: one at least in a layer that does, and in a group that may not be empty."""
        return {name: self._chosen(name, values, threshold) for name, values in self.filters.items()}

    def _chosen(self, name: str, values: Tensor, threshold: float) -> Tensor:
        if self.layers.get(name, math.inf) <= threshold or bool(torch.isneginf(values).all()):
            return torch.zeros_like(values, dtype=torch.bool)
        return (values > threshold).index_fill(0, values.argmax(), value=True)

    def widths(self, threshold: float) -> dict[str, int]:
        """How many structures of every group exist."""
        return {name: int(chosen.sum()) for name, chosen in self.chosen(threshold).items()}

    def values(self) -> list[float]:
        """All values in rising order."""
        values = torch.cat([*self.filters.values(), torch.tensor([*self.layers.values()])])
        return sorted(set(values.tolist()))


def _values(scores: Scores, noise: float) -> Tensor:
    """Temperature times score; with logistic noise of scale 1 it is above 0 as often as the mask says."""
    values = (scores.temperature * scores.score).detach().cpu()
    return values + noise * torch.logit(torch.rand(values.shape), eps=1e-6)
