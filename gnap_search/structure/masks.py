"""Masks: which weights of a network compute, as truth values that a method sets and no gradient changes.

A mask is a buffer, so cuts move it as they move the weight, and a checkpoint keeps it. It is changed in place
alone, because a step that a GPU replays knows it by its address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gnap_search.structure.cost import LINEAR


class Mask(nn.Module):
    """A parametrization: a weight computes where `kept`, bools of its shape, is true, and is 0 elsewhere.

    What is not kept has no gradient, so its stored value hardly changes.
    """

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.kept


M = TypeVar("M", bound=Mask)
P = TypeVar("P", bound=nn.Module)


class Masked(NamedTuple, Generic[M]):
    """A layer's weight as it is stored and trained, and the mask over it."""

    weight: Tensor
    mask: M


def attach(model: nn.Module, make: Callable[[Sequence[Tensor]], Sequence[P]]) -> Sequence[P]:
    """Put a parametrization over the weight of every convolution and fully connected layer.

    `make` gives them, from the weights in the order of the layers, and so does this. Biases and norms have
    none.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, LINEAR)]
    made = make([layer.weight for layer in layers])
    for layer, parametrization in zip(layers, made, strict=True):
        parametrize.register_parametrization(layer, "weight", parametrization, unsafe=True)
    return made


def masked(model: nn.Module, kind: type[M]) -> list[Masked[M]]:
    """Every weight that has a mask of that kind, in the order of the layers."""
    lists = [module for module in model.modules() if isinstance(module, parametrize.ParametrizationList)]
    return [Masked(one.original, mask) for one in lists for mask in one if isinstance(mask, kind)]


def random(weights: Sequence[Tensor], density: float, distribution: str) -> list[Tensor]:
    """What to keep of each weight: drawn from torch's random state, exactly as many as `counts` says."""
    shapes = [weight.shape for weight in weights]
    return [
        (torch.randperm(shape.numel()) < count).view(shape)
        for shape, count in zip(shapes, counts(shapes, density, distribution), strict=True)
    ]


def counts(shapes: Sequence[torch.Size], density: float, distribution: str) -> list[int]:
    """How many weights each layer keeps, at least one, so that `density` of all weights are kept.

    `uniform` gives every layer that density. `erdos-renyi-kernel` gives it weights in proportion to the sum
    of its sides: outputs + inputs + height and width of the kernel (Evci et al., arXiv 1911.11134, section
    3), so that small layers are denser; what a full layer cannot take goes to the others.
    """
    return [max(1, round(share)) for share in _DISTRIBUTIONS[distribution](shapes, density)]


def _uniform(shapes: Sequence[torch.Size], density: float) -> list[float]:
    return [density * shape.numel() for shape in shapes]


def _erdos_renyi_kernel(shapes: Sequence[torch.Size], density: float) -> list[float]:
    """What is wanted, dealt out from the layer that is full first to the one that is full last."""
    by_density = sorted(range(len(shapes)), key=lambda index: shapes[index].numel() / sum(shapes[index]))
    room, sides = density * sum(shape.numel() for shape in shapes), sum(sum(shape) for shape in shapes)
    shares = [0.0 for _ in shapes]
    for index in by_density:
        shape = shapes[index]
        shares[index] = min(shape.numel(), room * sum(shape) / sides)
        room, sides = room - shares[index], sides - sum(shape)
    return shares


_DISTRIBUTIONS = {"uniform": _uniform, "erdos-renyi-kernel": _erdos_renyi_kernel}
