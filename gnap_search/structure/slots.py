"""Slots: which axis of which tensor belongs to which group of channels, found by comparing shapes.

Nothing is traced: the network is built without memory, once plainly and once with a single group widened,
and every tensor whose shape differs has a slot of that group there. So gates, latents and buffers that a
method attaches are found in the same way as the weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from gnap_search.structure.model import Blueprint

Build = Callable[[Mapping[str, int]], nn.Module]


@dataclasses.dataclass(frozen=True)
class Slot:
    """One axis of one tensor; channel `i` of the group has its entries `i * span` to `(i + 1) * span`."""

    path: str
    axis: int
    span: int

    def entries(self, channels: Tensor) -> Tensor:
        """The axis indices of some channels; -1, which stands for a new channel, gives -1."""
        first = channels.unsqueeze(1) * self.span
        indices = first + torch.arange(self.span)
        return torch.where(channels.unsqueeze(1) < 0, -1, indices).flatten()


Slots = dict[str, tuple[Slot, ...]]


def find(build: Build, groups: Iterable[str]) -> Slots:
    """Group -> its slots in what `build` makes of widths."""
    reference = dict.fromkeys(groups, 2)
    plain = _shapes(build, reference)
    slots: Slots = {}
    for group in reference:
        wider = _shapes(build, {**reference, group: 3})
        slots[group] = tuple(
            Slot(path, axis, wider[path][axis] - size)
            for path, shape in plain.items()
            for axis, size in enumerate(shape)
            if wider[path][axis] != size
        )
    return slots


def _shapes(build: Build, widths: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {path: tuple(tensor.shape) for path, tensor in build(widths).state_dict().items()}


def _linear_weights(build: Build, groups: Iterable[str]) -> set[str]:
    """The paths of the weights that link channels; the gain of a norm has the same last name and does not."""
    with torch.device("meta"):
        model = build(dict.fromkeys(groups, 2))
    layers = (name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear))
    return {f"{name}.weight" for name in layers}


def effective(model: nn.Module, path: str) -> Tensor:
    """The tensor that computes: for a parametrized weight, what its parametrizations make of it."""
    owner, _, name = path.rpartition(".")
    tensor: Tensor = getattr(model.get_submodule(owner), name)
    return tensor.detach()


class Liveness:
    """Which channels of a network matter: those with a live input and a live output.

    A channel is dead where all weights into it, or all weights out of it, are zero or lead only from or to
    dead channels; what is dead is found by repeating that until nothing changes.
    """

    def __init__(self, blueprint: Blueprint, groups: Iterable[str]) -> None:
        self._into: dict[str, tuple[str, int]] = {}  # weight's path -> group and span of its input axis
        self._out_of: dict[str, str] = {}  # weight's path -> group of its output axis
        weights = _linear_weights(blueprint.build, groups)
        for group, slots in find(blueprint.build, groups).items():
            for slot in slots:
                if slot.path not in weights:
                    continue
                if slot.axis == 1:
                    self._into[slot.path] = group, slot.span
                else:
                    self._out_of[slot.path] = group

    def __call__(self, model: nn.Module, widths: Mapping[str, int]) -> dict[str, Tensor]:
        """Group -> a truth value for each channel, of a model with these widths (parametrized or not)."""
        present = set(dict(model.named_modules()))
        paths = [p for p in {**self._into, **self._out_of} if p.rpartition(".")[0] in present]
        links = {path: self._links(path, effective(model, path)) for path in paths}
        alive = {group: torch.ones(width, dtype=torch.bool) for group, width in widths.items()}
        while True:
            fed, read = self._reach(links, alive)
            smaller = {group: alive[group] & fed[group] & read[group] for group in alive}
            if all(torch.equal(smaller[group], alive[group]) for group in alive):
                return alive
            alive = smaller

    def _links(self, path: str, weight: Tensor) -> Tensor:
        """Which output channel reads which input channel: outputs x inputs."""
        span = self._into[path][1] if path in self._into else 1
        outputs, inputs = weight.shape[:2]
        return (weight != 0).cpu().reshape(outputs, inputs // span, -1).any(2)

    def _reach(
        self, links: Mapping[str, Tensor], alive: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Group -> which channels have an input, and which have an output, among the live ones."""
        fed = {group: torch.zeros_like(flags) for group, flags in alive.items()}
        read = {group: torch.zeros_like(flags) for group, flags in alive.items()}
        for path, link in links.items():
            if path in self._out_of:
                link = link & alive[self._out_of[path]].unsqueeze(1)
            if path in self._into:
                link = link & alive[self._into[path][0]]
            if path in self._out_of:
                fed[self._out_of[path]] |= link.any(1)
            if path in self._into:
                read[self._into[path][0]] |= link.any(0)
        return fed, read
