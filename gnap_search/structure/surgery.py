"""Surgery: the one place where tensors change shape: weights, buffers, gates and optimiser moments alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from gnap_search.structure.edits import Cut, Edit
from gnap_search.structure.slots import Slot, Slots

WEIGHTS = (".weight", ".parametrizations.weight.original")


class Operation:
    """What a list of edits does to a network of given widths.

    `widths` are the new ones; `origins` says for every channel of a changed group which old channel it
    was, and -1 for a new one.
    """

    def __init__(self, widths: Mapping[str, int], edits: Sequence[Edit]) -> None:
        self.origins: dict[str, Tensor] = {}
        self._outgoing: dict[str, float] = {}
        for edit in edits:
            before = self.origins.get(edit.group, torch.arange(widths[edit.group]))
            if isinstance(edit, Cut):
                self.origins[edit.group] = before[torch.tensor(edit.keep, dtype=torch.long)]
            else:
                self.origins[edit.group] = torch.cat([before, torch.full((edit.count,), -1)])
                self._outgoing[edit.group] = edit.outgoing
        self.widths = {
            group: len(self.origins[group]) if group in self.origins else width
            for group, width in widths.items()
        }

    def transfer(
        self,
        slots: Slots,
        old: Mapping[str, Tensor],
        new: Mapping[str, Tensor],
        *,
        newborn: float | None = None,
    ) -> None:
        """Copy what survives from the old tensors into the new ones, in place.

        Entries of new channels keep what is there already, or become `newborn` where that is given.
        Weights out of new channels are scaled as their `Grow` says. Paths without an old tensor are left
        alone.
        """
        for path, target in new.items():
            if newborn is not None:
                target.fill_(newborn)
            if path in old:
                self._copy(self._axes(slots, path), old[path], target)
        if newborn is None:
            self._scale_outgoing(slots, new)

    def _axes(self, slots: Slots, path: str) -> dict[int, Tensor]:
        """Axis -> the old entry that each new entry comes from, for the axes that change."""
        return {
            slot.axis: slot.entries(self.origins[group])
            for group in self.origins
            for slot in slots[group]
            if slot.path == path
        }

    @staticmethod
    def _copy(axes: Mapping[int, Tensor], old: Tensor, new: Tensor) -> None:
        if not axes:
            new.copy_(old)
            return
        source, target = old, []
        for axis, size in enumerate(new.shape):
            origins = axes.get(axis, torch.arange(size))
            kept = torch.nonzero(origins >= 0).flatten()
            source = source.index_select(axis, origins[kept].to(old.device))
            target.append(kept.to(new.device).view(-1, *[1] * (new.ndim - axis - 1)))
        new[tuple(target)] = source

    def _scale_outgoing(self, slots: Slots, new: Mapping[str, Tensor]) -> None:
        for group, factor in self._outgoing.items():
            for slot in slots[group]:
                if slot.axis == 1 and slot.path.endswith(WEIGHTS) and slot.path in new:
                    _newborn_entries(slot, self.origins[group], new[slot.path], factor)


def _newborn_entries(slot: Slot, origins: Tensor, weight: Tensor, factor: float) -> None:
    scale = torch.where(slot.entries(origins) < 0, factor, 1.0).to(weight)
    weight.mul_(scale.view(1, -1, *[1] * (weight.ndim - 2)))


def transfer_moments(
    operation: Operation,
    slots: Slots,
    old: tuple[nn.Module, torch.optim.Optimizer],
    new: tuple[nn.Module, torch.optim.Optimizer],
) -> None:
    """Give the new optimiser the old one's state: old slices keep their moments, new ones start at zero."""
    old_state = {name: old[1].state.get(parameter, {}) for name, parameter in old[0].named_parameters()}
    for name, parameter in new[0].named_parameters():
        for key, value in old_state.get(name, {}).items():
            if value.ndim == 0:
                new[1].state[parameter][key] = value.clone()
                continue
            moment = torch.zeros_like(parameter)
            operation.transfer(slots, {name: value}, {name: moment}, newborn=0.0)
            new[1].state[parameter][key] = moment


def remaining(alive: Mapping[str, Tensor], optional: frozenset[str]) -> list[Edit]:
    """The cuts that remove every dead channel; a group that may not be empty keeps at least its first one."""
    cuts: list[Edit] = []
    for group, flags in alive.items():
        keep = torch.nonzero(flags).flatten().tolist()
        if not keep and len(flags) and group not in optional:
            keep = [0]
        if len(keep) < len(flags):
            cuts.append(Cut(group, tuple(keep)))
    return cuts
