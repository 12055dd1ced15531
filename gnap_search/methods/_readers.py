"""Readers: masks over all that reads a channel, and over the norms behind layers that may vanish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.utils import parametrize as torch_parametrize

from gnap_search.structure.layers import Unit
from gnap_search.structure.model import Blueprint
from gnap_search.structure.slots import ends


class Masks(Protocol):
    """What gives a mask to each of some structures, as it is at the moment."""

    def masks(self) -> Tensor:
        """A value a structure."""
        ...


class Masked(Masks, Protocol):
    """A mask for each channel of a group, and one for its layer where that may vanish."""

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


def parametrize(model: nn.Module, blueprint: Blueprint, groups: Mapping[str, Masked]) -> None:
    """Put the masks over the weights that read masked channels, and over the norms behind layers."""
    present = dict(model.named_modules())
    for path, end in ends(blueprint, tuple(groups)).items():
        name = path.rpartition(".")[0]
        if end.source is None or name not in present:
            continue
        group = groups[end.source]
        mask = FilterMask(group, end.span)
        torch_parametrize.register_parametrization(present[name], "weight", mask, unsafe=True)
        unit = present[name.rpartition(".")[0]]
        if group.layer is not None and isinstance(unit, Unit) and unit.norm is not None:
            _mask_norm(unit.norm, group.layer)


def _mask_norm(norm: nn.Module, layer: Masks) -> None:
    for value in ("weight", "bias"):
        if getattr(norm, value) is not None:
            torch_parametrize.register_parametrization(norm, value, LayerMask(layer), unsafe=True)


def widths_of(model: nn.Module, blueprint: Blueprint, groups: Sequence[str]) -> dict[str, int]:
    """Channels of every group of a model: rows of the weights into it, none where there is no such weight."""
    widths = dict.fromkeys(groups, 0)
    present = dict(model.named_parameters())
    for path, end in ends(blueprint, tuple(groups)).items():
        if end.target is not None and path in present:
            widths[end.target] = present[path].shape[0]
    return widths
