"""Structures: the filters and layers that a network may have, with a mask score each, present or not.

A group of channels has as many places as it may become wide. Which of them its channels take is a buffer that
surgery moves as it moves the channels; scores lie beside it in tensors of constant length, so that what is
cut keeps its score, its moments and its age until it returns.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gnap_search.structure.model import Blueprint


class Scores(nn.Module):
    """A mask score for each of some structures, its temperature, and the epochs that it has been trained."""

    age: Tensor
    temperature: Tensor

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.score = nn.Parameter(scores)
        self.register_buffer("age", torch.zeros(len(scores)))
        self.register_buffer("temperature", torch.ones(len(scores)))

    def masks(self) -> Tensor:
        """sigmoid(temperature x score), a value a structure."""
        return torch.sigmoid(self.temperature * self.score)

    def warm(self, first: float, last: float, epochs: int) -> None:
        """Set the temperatures: geometrically from the first to the last one, at an age of so many epochs."""
        self.temperature.copy_(first * (last / first) ** (self.age / epochs).clamp(max=1))


class Group(nn.Module):
    """The filters of a group of channels, and the layer that they make up where it may vanish.

    Of a block's groups the last one has the layer.

    Attributes:
        place: which structure each channel is, a number a channel.
        wanted: which structures have been drawn and are to grow; a truth value a structure.
    """

    place: Tensor
    wanted: Tensor

    def __init__(self, filters: Scores, layer: Scores | None, width: int) -> None:
        super().__init__()
        self.filters, self.layer = filters, layer
        places = len(filters.score)
        # Where a network starts wider than it may become, several channels are one structure.
        self.register_buffer("place", torch.arange(width) % places)
        self.register_buffer("wanted", torch.zeros(places, dtype=torch.bool))

    @property
    def kinds(self) -> tuple[Scores, ...]:
        """The scores of the filters, and that of the layer if there is one."""
        return (self.filters,) if self.layer is None else (self.filters, self.layer)

    @property
    def present(self) -> Tensor:
        """Which structures the network has at the moment, a truth value each."""
        return torch.zeros_like(self.wanted).index_fill_(0, self.place, value=True)

    def masks(self) -> Tensor:
        """The mask of every channel."""
        return self.filters.masks()[self.place]

    def open_width(self) -> int:
        """How many filters have scores above 0: none where the layer has not, else one at least."""
        if self.layer is not None and float(self.layer.score.detach()) <= 0:
            return 0
        return max(1, int((self.filters.score.detach() > 0).sum()))

    @torch.no_grad()
    def welcome(self) -> None:
        """Give the newest channels the places of the structures that they were wanted as."""
        born = torch.nonzero(self.wanted).flatten()
        if len(born):
            self.place[-len(born) :] = born
            self.wanted.zero_()

    @torch.no_grad()
    def grow_older(self) -> None:
        """Count an epoch for what is present."""
        self.filters.age += self.present
        if self.layer is not None and len(self.place):
            self.layer.age += 1


class Structures(nn.ModuleDict):
    """All groups of a network by name, kept in it beside its layers.

    Attributes:
        price: what an open structure costs at the moment, in nats; below zero it is a reward.
        sampling, last: whether the epoch of the moment ends with a draw, and whether that is the last one.
        frozen: whether the masks have stopped learning.
    """

    price: Tensor

    def __init__(self, blueprint: Blueprint, groups: Mapping[str, Group]) -> None:
        super().__init__(groups)
        self.blueprint = blueprint
        self.sampling, self.last, self.frozen = False, False, False
        self.register_buffer("price", torch.zeros(()))

    def named(self) -> dict[str, Group]:
        """The groups by name, with their type."""
        return {name: group for name, group in self.items() if isinstance(group, Group)}

    def scores(self) -> list[Scores]:
        """Those of all filters and layers."""
        return [scores for group in self.named().values() for scores in group.kinds]

    def priced(self) -> Tensor:
        """The sum of the masks that have a price: all but the highest one of each group's filters.

        A layer needs one filter anyway. And nothing but a price would move the mask of a lone one: what
        reads it has a norm, which undoes what all channels have in common.
        """
        groups = self.named().values()
        filters = [group.filters.masks() for group in groups]
        layers = [group.layer.masks() for group in groups if group.layer is not None]
        free = torch.stack([masks.amax() for masks in filters])
        return torch.cat([*filters, *layers]).sum() - free.sum()

    def open_widths(self) -> dict[str, int]:
        """How many structures of every group have scores above 0; one where a group may not be empty."""
        widths = {name: group.open_width() for name, group in self.named().items()}
        for last, block in self.blueprint.block_of_layer.items():
            if not widths[last]:
                widths |= dict.fromkeys(block, 0)
        return widths


def structures(model: nn.Module) -> Structures:
    """Those that `attach` gave a model."""
    found = model.get_submodule("structures")
    assert isinstance(found, Structures)
    return found
