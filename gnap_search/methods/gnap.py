"""GNAP: a gate per weight prunes by gradient descent; the network widens when training saturates.

Growing Networks with Autonomous Pruning, C. De Lambilly and S. Duffner, arXiv 2603.19759 (2026).

The network starts small. Every weight has a gate score `m`, and the weight that computes is `w * H(m)`
with the Heaviside step H. The loss carries a price for each open gate, so gates close by gradient descent
where the loss does not pay for them, and may open again: no pruning rate and no threshold is set by hand.
Channels whose weights have all closed are removed. When the objective, loss plus price, hardly falls any
more from epoch to epoch, all groups of channels widen.

What makes it stop: in a trial's finish nothing grows, the learning rate falls to zero, and from the
middle of the finish on the gates are frozen.

**This is a reconstruction.** Only the paper's abstract is public to us. It says that the size grows each
time a saturation point is reached, and that pruning is done by gradient descent, autonomously, at the
same time as training. The gate with a straight-through gradient follows Ivan and Florian, arXiv
2006.16627 (binary gates over random weights that stay fixed, without a threshold to set; here the weights
train as well); the price per open gate, the saturation test on loss plus price, growth of all widths by one
factor, and every constant are our choices.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gnap_search.contracts import ParameterGroup, Progress
from gnap_search.results import Point
from gnap_search.settings import Bounds, setting
from gnap_search.structure import masks
from gnap_search.structure.edits import Edit, Grow
from gnap_search.structure.model import Blueprint


class _StraightThrough(torch.autograd.Function):
    """`weight * H(score)`; the score's gradient passes H as if it were the identity."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, score: Tensor) -> Tensor:
        gate = (score > 0).to(weight.dtype)
        ctx.save_for_backward(weight, gate)
        return weight * gate

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        weight, gate = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * gate, gradient * weight if ctx.needs_input_grad[1] else None


class _Price(torch.autograd.Function):
    """The price of all open gates; every score's gradient is the price itself, straight through H."""

    @staticmethod
    def forward(ctx: Any, price: float, *scores: Tensor) -> Tensor:
        ctx.price, ctx.shapes = price, [score.shape for score in scores]
        return price * torch.stack([(score > 0).sum() for score in scores]).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        return (None, *((ctx.price * gradient).expand(shape) for shape in ctx.shapes))


class Gate(nn.Module):
    """A parametrization: one score per weight, in [-1, 1]; the weight counts where its score is above 0."""

    def __init__(self, weight: Tensor, start: float) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.full_like(weight, start))

    def forward(self, weight: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return weight * (self.score > 0)
        gated: Tensor = _StraightThrough.apply(weight, self.score)  # type: ignore[no-untyped-call] # torch's
        return gated


@dataclasses.dataclass(frozen=True)
class GNAP:
    """The settings of the method; the first three are what a search usually varies."""

    sparsity: ClassVar[str] = "unstructured"

    pruning_strength: float = setting(1e-5, "price of an open gate, in nats a weight", Bounds(0, 1))
    growth_factor: float = setting(1.4, "width after a growth / width before", Bounds(1, 8))
    saturation_patience: int = setting(2, "epochs over which progress is measured", Bounds(1))
    saturation_tolerance: float = setting(0.1, "fall of the objective an epoch to be progress", Bounds(0, 1))
    growth_trigger: str = setting(
        "saturation", "when to grow", Bounds(choices=("saturation", "periodic", "never"))
    )
    growth_period: int = setting(4, "epochs between growths of the periodic trigger", Bounds(1))
    growth_limit: int = setting(3, "growths at most", Bounds(0))
    birth_scale: float = setting(0.3, "scale of the weights out of new channels", Bounds(0, 1))
    depth_growth: str = setting(
        "never", "when a growth opens a block", Bounds(choices=("never", "stalled", "always"))
    )
    gate_start: float = setting(0.1, "score of a new gate", Bounds(1e-6, 1))
    gate_learning_rate: float = setting(1e-3, "learning rate of the gates (Adam)", Bounds(0, 1))
    freeze_share: float = setting(0.5, "share of the finish after which gates are frozen", Bounds(0, 1))

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """A gate for every weight of a convolution or a fully connected layer; biases and norms have none."""
        del blueprint
        gates = masks.attach(model, lambda weights: [Gate(weight, self.gate_start) for weight in weights])
        model.gate_scores = [gate.score for gate in gates]  # type: ignore[assignment] # a list: torch leaves it

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """The gates learn at their own rate."""
        return (ParameterGroup(".score", self.gate_learning_rate),)

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Freeze the gates late in the finish, so that the last epochs train a fixed network."""
        frozen = progress.finishing and progress.finished_share >= self.freeze_share
        for score in _scores(model):
            score.requires_grad_(not frozen)
        if not progress.finishing:
            return "growing"
        return "finishing" if frozen else "pruning"

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The price of all open gates, in nats; None once the gates are frozen."""
        scores = _scores(model)
        if not scores[0].requires_grad:
            return None
        price: Tensor = _Price.apply(self.pruning_strength, *scores)  # type: ignore[no-untyped-call] # torch's
        return price

    @torch.no_grad()
    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Keep the scores in [-1, 1], where a closed gate can still open."""
        del rate
        scores = _scores(model)
        if scores[0].requires_grad:
            torch._foreach_clamp_min_(scores, -1.0)
            torch._foreach_clamp_max_(scores, 1.0)

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Nothing: closed gates leave dead channels behind, and those are removed for every method."""
        del model, blueprint, history
        return []

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """When it is time, widen every group by the growth factor, by at least a channel, or open a block."""
        del model
        phase = _since_growth(history)
        if _growths(history) >= self.growth_limit or not self._is_time(phase):
            return []
        opening = self._opening(blueprint, history)
        if opening and self.depth_growth == "stalled":
            return opening
        return [*opening, *self._widening(history[-1].widths)]

    def _widening(self, widths: Mapping[str, int]) -> list[Edit]:
        share = self.growth_factor - 1
        return [  # rounded first, because 10 * (1.1 - 1) is a little more than 1
            Grow(group, max(1, math.ceil(round(width * share, 9))), self.birth_scale)
            for group, width in widths.items()
            if width and self.growth_factor > 1
        ]

    def _opening(self, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """The first block that is left out, as wide as the others are on average, and silent at first."""
        if self.depth_growth == "never" or (self.depth_growth == "stalled" and not self._stalled(history)):
            return []
        widths, seed = history[-1].widths, blueprint.seed_widths(1.0)
        scale = sum(widths.values()) / sum(seed[group] for group, width in widths.items() if width)
        closed = next((block for block in blueprint.blocks if not any(widths[group] for group in block)), ())
        return [Grow(group, max(1, round(scale * seed[group])), 0.0) for group in closed]

    def _stalled(self, history: Sequence[Point]) -> bool:
        """Whether the objective is hardly lower than before the last growth, or growth widens nothing."""
        if self.growth_factor == 1:
            return True
        objective = self._objective(history)
        grown = [index for index, point in enumerate(history) if point.grown]
        if not grown:
            return False
        before, since = objective[: grown[-1] + 1], objective[grown[-1] + 1 :]
        return min(since) > min(before) * (1 - self.saturation_tolerance)

    def _is_time(self, phase: Sequence[Point]) -> bool:
        """`phase` is the history since the last growth."""
        if self.growth_trigger == "periodic":
            return len(phase) >= self.growth_period
        return self.growth_trigger == "saturation" and self._saturated(phase)

    def _saturated(self, phase: Sequence[Point]) -> bool:
        """Whether the objective, loss plus price, fell by too small a share an epoch, over the patience."""
        objective = self._objective(phase)
        if len(objective) <= self.saturation_patience:
            return False
        before, lately = objective[: -self.saturation_patience], objective[-self.saturation_patience :]
        return min(lately) > min(before) * (1 - self.saturation_tolerance) ** self.saturation_patience

    def _objective(self, history: Sequence[Point]) -> list[float]:
        """Loss plus price after every epoch."""
        return [point.training_loss + self.pruning_strength * point.weights for point in history]


METHOD = GNAP


def _scores(model: nn.Module) -> list[Tensor]:
    """All scores of a model, which `attach` put aside: to look for them at every step takes its time."""
    scores: list[Tensor] = model.gate_scores  # type: ignore[assignment] # a list: torch leaves it
    return scores


def _growths(history: Sequence[Point]) -> int:
    return sum(point.grown for point in history)


def _since_growth(history: Sequence[Point]) -> Sequence[Point]:
    grown = [index for index, point in enumerate(history) if point.grown]
    return history[grown[-1] + 1 :] if grown else history
