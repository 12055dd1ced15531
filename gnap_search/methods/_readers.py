"""Readers: masks over all that reads a channel, and over the norms behind layers that may vanish."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.utils import parametrize

from gnap_search.structure.layers import Unit
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import ends


class Masks(Protocol):
    """What gives a mask to each of some structures, as it is at the moment."""

    def masks(self) -> Tensor:
        """A value a structure."""
        ...


class GroupMasks(Masks, Protocol):
    """A mask for each channel of a group, and one for its layer where that may vanish: a block's last one."""

    @property
    def layer(self) -> Any:
        """A `Masks` of one value, or None."""
        ...


class FilterMask(nn.Module):
    """A parametrization: all that a weight reads of a channel is multiplied by the channel's mask."""

    def __init__(self, group: Masks, span: int) -> None:
        super().__init__()
        self._group, self._span = (group,), span  # in a tuple, so that the group keeps its one place

    def forward(self, weight: Tensor) -> Tensor:
        masks = self._group[0].masks()
        if self._span > 1:
            masks = masks.repeat_interleave(self._span)
        return weight * masks.view(1, -1, *[1] * (weight.ndim - 2))


class LayerMask(nn.Module):
    """A parametrization: a value of the norm behind a layer is multiplied by the layer's mask."""

    def __init__(self, layer: Masks) -> None:
        super().__init__()
        self._layer = (layer,)

    def forward(self, values: Tensor) -> Tensor:
        return values * self._layer[0].masks()


@dataclasses.dataclass(frozen=True)
class Reader:
    """A layer that reads a group's channels, `span` inputs of it for each, and the unit that it is in."""

    layer: nn.Module
    unit: Unit | None
    group: str
    span: int


def readers(model: nn.Module, blueprint: Blueprint, groups: Iterable[str]) -> Iterator[Reader]:
    """All that a model has of them."""
    present = dict(model.named_modules())
    for path, end in ends(blueprint, tuple(groups)).items():
        name = path.rpartition(".")[0]
        if end.source is not None and name in present:
            unit = present[name.rpartition(".")[0]]
            yield Reader(present[name], unit if isinstance(unit, Unit) else None, end.source, end.span)


def mask_readers(model: nn.Module, blueprint: Blueprint, groups: Mapping[str, GroupMasks]) -> None:
    """Put the masks over the weights that read masked channels, and over the norms behind layers."""
    for reader in readers(model, blueprint, groups):
        group = groups[reader.group]
        mask = FilterMask(group, reader.span)
        parametrize.register_parametrization(reader.layer, "weight", mask, unsafe=True)
        if group.layer is not None and reader.unit is not None and reader.unit.norm is not None:
            _mask_norm(reader.unit.norm, group.layer)


def _mask_norm(norm: nn.Module, layer: Masks) -> None:
    for value in ("weight", "bias"):
        if getattr(norm, value) is not None:
            parametrize.register_parametrization(norm, value, LayerMask(layer), unsafe=True)


def widths_of(model: nn.Module, blueprint: Blueprint, groups: Sequence[str]) -> dict[str, int]:
    """Channels of every group of a model: rows of the weights into it, none where there is no such weight."""
    widths = dict.fromkeys(groups, 0)
    present = dict(model.named_parameters())
    for path, end in ends(blueprint, tuple(groups)).items():
        if end.target is not None and path in present:
            widths[end.target] = present[path].shape[0]
    return widths
