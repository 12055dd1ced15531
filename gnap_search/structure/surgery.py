"""Surgery: the one place where tensors change shape: weights, buffers, gates and optimiser moments alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from gnap_search.structure.edits import Cut, Edit, Grow, Settle, Split
from gnap_search.structure.slots import Slot, Slots, spread

WEIGHTS = (".weight", ".parametrizations.weight.original")


@dataclasses.dataclass(frozen=True)
class _Survivors:
    """Along one axis: which old entries go on, and which new entries they become.

    `leading` says that these are the first ones, in order; then no index is needed.
    """

    sources: Tensor
    targets: Tensor
    leading: bool

    @classmethod
    def of(cls, origins: Tensor, span: int) -> Self:
        """Of channels with `span` entries each that come from these old channels, or from none (-1)."""
        entries = spread(origins, span) if span > 1 else origins
        old = entries >= 0
        if bool(old.all()):
            return cls(entries, torch.arange(len(entries)), leading=True)
        targets = torch.nonzero(old).flatten()
        return cls(entries[targets], targets, bool(old[: len(targets)].all()))


Axes = tuple[tuple[int, _Survivors], ...]


class Operation:
    """What a list of edits does to a network of given widths.

    `widths` are the new ones; `origins` says for every channel of a changed group which old channel it
    was, and -1 for a new one. `narrows` says that channels go, none come, and no group loses all of its own:
    then every layer stays. `blocks` are those that may be left out: each is there with all of its groups, or
    with none.
    """

    def __init__(
        self, widths: Mapping[str, int], edits: Sequence[Edit], blocks: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self.origins: dict[str, Tensor] = {}
        self._outgoing: dict[str, float] = {}
        self._splits: dict[str, _Births] = {}
        self._survivors: dict[str, Axes] = {}  # path -> what survives along the axes that change
        for edit in edits:
            if not isinstance(edit, Settle):
                self._edit(edit, self.origins.get(edit.group, torch.arange(widths[edit.group])))
        self.widths = {
            group: len(self.origins[group]) if group in self.origins else width
            for group, width in widths.items()
        }
        for block in blocks:
            self._keep_whole(block, absent=not any(widths[group] for group in block))
        self.narrows = all(isinstance(edit, Cut) for edit in edits) and all(
            self.widths[group] for group, width in widths.items() if width
        )

    def _edit(self, edit: Cut | Grow | Split, before: Tensor) -> None:
        assert edit.group not in self._splits, "no other edit of a group stands beside its split"
        if isinstance(edit, Cut):
            self.origins[edit.group] = before[torch.tensor(edit.keep, dtype=torch.long)]
            return
        count = edit.count if isinstance(edit, Grow) else len(edit.parents)
        self.origins[edit.group] = torch.cat([before, torch.full((count,), -1)])
        if isinstance(edit, Grow):
            self._outgoing[edit.group] = edit.outgoing
        else:
            assert len(before) == 0 or bool((before >= 0).all()), "no other edit stands beside a split"
            self._splits[edit.group] = _Births(edit, len(before))

    def _keep_whole(self, block: tuple[str, ...], *, absent: bool) -> None:
        """Let a block go as soon as one of its groups has no channels left.

        In one that was absent the last norm alone is scaled: if those before it were silent as well, no
        gradient would reach any of them.
        """
        there = [self.widths[group] > 0 for group in block]
        if all(there) and absent:
            for group in block[:-1]:
                self._outgoing.pop(group, None)
        elif any(there) and not all(there):
            assert not absent, "a block opens in all of its groups"
            for group in block:
                self.origins[group], self.widths[group] = torch.arange(0), 0
                self._outgoing.pop(group, None)
                self._splits.pop(group, None)

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
        Otherwise weights out of new channels are scaled as their `Grow` says, and children made of their
        parents as their `Split` says. Where a norm is born with its channels, in a block that was left out,
        its gain is scaled instead: a norm undoes the scale of its inputs, and of zeros it makes gradients
        that are hundreds of times too large. Paths without an old tensor are left alone. `slots` are those
        of the model that the operation changes, the same in every call.
        """
        if not self._survivors:
            self._find_survivors(slots)
        for path, target in new.items():
            if newborn is not None:
                target.fill_(newborn)
            if path in old:
                _copy(old[path], target, self._survivors.get(path, ()))
        if newborn is None:
            self._scale_outgoing(slots, old, new)
            self._split(slots, old, new)

    def kept(self, slots: Slots, path: str, values: Tensor) -> Tensor:
        """What is left of a tensor where the operation `narrows`; the tensor itself if it loses nothing."""
        if not self._survivors:
            self._find_survivors(slots)
        axes = self._survivors.get(path)
        return _narrowed(values, axes) if axes else values

    def _find_survivors(self, slots: Slots) -> None:
        for group, origins in self.origins.items():
            entries = {span: _Survivors.of(origins, span) for span in {slot.span for slot in slots[group]}}
            for slot in slots[group]:
                axes = self._survivors.get(slot.path, ())
                self._survivors[slot.path] = (*axes, (slot.axis, entries[slot.span]))

    def _scale_outgoing(self, slots: Slots, old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> None:
        for group, factor in self._outgoing.items():
            for slot in slots[group]:
                if slot.axis != 1 or not slot.path.endswith(WEIGHTS) or slot.path not in new:
                    continue
                if (gain := _gain_behind(slot.path, new)) is not None and gain not in old:
                    new[gain].mul_(factor)
                else:
                    _newborn_entries(slot, self.origins[group], new[slot.path], factor)

    def _split(self, slots: Slots, old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> None:
        for group, births in self._splits.items():
            for slot in slots[group]:
                if slot.path in new and slot.path in old:
                    births.happen(slot, new[slot.path])


@dataclasses.dataclass(frozen=True)
class _Births:
    """A split of a group that had so many channels before."""

    edit: Split
    before: int

    def happen(self, slot: Slot, tensor: Tensor) -> None:
        """Make the children's entries along one axis; so far they are as their layer was initialised."""
        parents = slot.entries(torch.tensor(self.edit.parents, dtype=torch.long)).to(tensor.device)
        born = slice(self.before * slot.span, None)
        children = tensor.movedim(slot.axis, 0)
        inherited = children[parents]
        if not slot.path.endswith(WEIGHTS) or tensor.ndim == 1:
            children[born] = inherited
            return
        scale = self.edit.outgoing if slot.axis else self.edit.incoming
        children[born] = scale * inherited + self.edit.noise * children[born]
        if slot.axis:
            children[parents] = self.edit.kept * inherited


def _copy(old: Tensor, new: Tensor, axes: Axes) -> None:
    """Copy what survives along some axes; along the others the tensors are equal in size."""
    _put(_surviving(old, axes), new, axes)


def _surviving(values: Tensor, axes: Axes) -> Tensor:
    for axis, survivors in axes:
        values = values.index_select(axis, survivors.sources.to(values.device))
    return values


def _put(values: Tensor, new: Tensor, axes: Axes) -> None:
    """Write values where the survivors of some axes are."""
    while axes and axes[-1][1].leading:
        axis, survivors = axes[-1]
        new, axes = new.narrow(axis, 0, len(survivors.targets)), axes[:-1]
    if not axes:
        new.copy_(values)
        return
    (axis, survivors), *others = axes
    targets = survivors.targets.to(new.device)
    if others:
        inner = new.index_select(axis, targets)
        _put(values, inner, tuple(others))
        values = inner
    new.index_copy_(axis, targets, values)


def _newborn_entries(slot: Slot, origins: Tensor, weight: Tensor, factor: float) -> None:
    scale = torch.where(slot.entries(origins) < 0, factor, 1.0).to(weight)
    weight.mul_(scale.view(1, -1, *[1] * (weight.ndim - 2)))


def _gain_behind(path: str, tensors: Mapping[str, Tensor]) -> str | None:
    """The path of the gain of the norm that follows a weight in its unit; None where there is none."""
    unit = path.rpartition(".linear.")[0]
    found = [gain for ending in WEIGHTS if (gain := f"{unit}.norm{ending}") in tensors]
    return found[0] if found else None


def transfer_moments(
    operation: Operation,
    slots: Slots,
    old: tuple[nn.Module, torch.optim.Optimizer],
    new: tuple[nn.Module, torch.optim.Optimizer],
) -> None:
    """Give the new optimiser the old one's state: old slices keep their moments, new ones start at zero."""
    states = {name: old[1].state.get(parameter, {}) for name, parameter in old[0].named_parameters()}
    fresh = dict(new[0].named_parameters())
    for key in {key for state in states.values() for key in state}:
        values = {name: state[key] for name, state in states.items() if key in state}
        parameters = {name: one for name, one in fresh.items() if name in values}
        counts = {name for name, value in values.items() if value.ndim == 0}
        moments = {name: torch.zeros_like(one) for name, one in parameters.items() if name not in counts}
        operation.transfer(slots, values, moments, newborn=0.0)
        for name, parameter in parameters.items():
            new[1].state[parameter][key] = values[name].clone() if name in counts else moments[name]


@torch.no_grad()
def narrow(operation: Operation, slots: Slots, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take away in place what goes from a model and its optimiser's state, by an operation that `narrows`.

    The result is that of building the model anew and moving what survives, without the building.
    """
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        left = operation.kept(slots, path, tensor)
        if left is tensor:
            continue
        tensor.data = left
        for key, value in optimizer.state.get(tensor, {}).items():
            optimizer.state[tensor][key] = operation.kept(slots, path, value) if value.ndim else value
        layer = next((path.removesuffix(ending) for ending in WEIGHTS if path.endswith(ending)), None)
        if layer is not None:
            keep_up(model.get_submodule(layer), left)


def keep_up(layer: nn.Module, weight: Tensor) -> None:
    """Let what a linear layer says of its channels follow its weight, which has become narrower."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape
    elif isinstance(layer, nn.Conv2d):
        layer.groups = weight.shape[0] if layer.groups > 1 else 1
        layer.out_channels, layer.in_channels = weight.shape[0], weight.shape[1] * layer.groups


def _narrowed(values: Tensor, axes: Axes) -> Tensor:
    """What survives, in memory as a new network's tensors are: those of convolutions channels last."""
    if values.ndim != 4:
        return _surviving(values, axes)
    places = (0, 3, 1, 2)  # of the axes of a filter where channels are the last one
    last = _surviving(values.permute(0, 2, 3, 1), tuple((places[axis], one) for axis, one in axes))
    return last.permute(0, 3, 1, 2)


def laid_out(like: Tensor) -> Tensor:
    """Memory for a tensor of that shape, as a new network has it: for one of a convolution, channels last."""
    layout = torch.channels_last if like.ndim == 4 else torch.contiguous_format
    return torch.empty_like(like, memory_format=layout)


def remaining(alive: Mapping[str, Tensor], optional: frozenset[str]) -> list[Edit]:
    """The cuts that remove every dead channel; a group that may not be empty keeps at least its first one."""
    cuts: list[Edit] = []
    for group, flags in alive.items():
        if bool(flags.all()):
            continue
        keep = torch.nonzero(flags).flatten().tolist()
        if not keep and len(flags) and group not in optional:
            keep = [0]
        if len(keep) < len(flags):
            cuts.append(Cut(group, tuple(keep)))
    return cuts
