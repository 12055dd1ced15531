"""Slots: which axis of which tensor belongs to which group of channels, found by comparing shapes.

Nothing is traced: the network is built a few channels wide, once plainly and then with some groups wider, and
every tensor whose shape differs has a slot of one of these groups there. Which groups are wider spells their
numbers in binary, so that a deep network of a hundred groups is built eight times. Gates, latents and buffers
that a method attaches are found in the same way as the weights.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from gnap_search.structure.model import Blueprint, undrawn

Build = Callable[[Mapping[str, int]], nn.Module]


@dataclasses.dataclass(frozen=True)
class Slot:
    """One axis of one tensor; channel `i` of the group has its entries `i * span` to `(i + 1) * span`."""

    path: str
    axis: int
    span: int

    def entries(self, channels: Tensor) -> Tensor:
        """The axis indices of some channels; -1, which stands for a new channel, gives -1."""
        return spread(channels, self.span)


def spread(channels: Tensor, span: int) -> Tensor:
    """The entries of some channels that have `span` entries each; -1 for every entry of channel -1."""
    entries = channels.unsqueeze(1) * span + torch.arange(span)
    return torch.where(channels.unsqueeze(1) < 0, -1, entries).flatten()


Slots = dict[str, tuple[Slot, ...]]


def find(build: Build, groups: Iterable[str]) -> Slots:
    """Group -> its slots in what `build` makes of widths."""
    numbers = {group: number for number, group in enumerate(groups, 1)}
    plain = _shapes(build, dict.fromkeys(numbers, 2))
    spelled = {(path, axis): 0 for path, shape in plain.items() for axis in range(len(shape))}
    for bit in range(len(numbers).bit_length()):
        wider = _shapes(build, {group: 3 if number >> bit & 1 else 2 for group, number in numbers.items()})
        for path, axis in spelled:
            added = wider[path][axis] - plain[path][axis]
            assert added == 0 or 2 * added == plain[path][axis], f"{path} has channels of several groups"
            spelled[path, axis] += bool(added) << bit
    return {
        group: tuple(
            Slot(path, axis, plain[path][axis] // 2)
            for (path, axis), spelling in spelled.items()
            if spelling == number
        )
        for group, number in numbers.items()
    }


def _shapes(build: Build, widths: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    with undrawn():
        return {path: tuple(tensor.shape) for path, tensor in build(widths).state_dict().items()}


def _linear_weights(build: Build, groups: Iterable[str]) -> dict[str, bool]:
    """The path of each weight that links channels, and whether it is depth-wise.

    The gain of a norm has the same last name and links none.
    """
    with undrawn():
        model = build(dict.fromkeys(groups, 2))
    return {
        f"{name}.weight": isinstance(layer, nn.Conv2d) and layer.groups > 1
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }


def effective(model: nn.Module, path: str) -> Tensor:
    """The tensor that computes: for a parametrized weight, what its parametrizations make of it."""
    owner, _, name = path.rpartition(".")
    tensor: Tensor = getattr(model.get_submodule(owner), name)
    return tensor.detach()


def parametrization(model: nn.Module, path: str) -> nn.Module:
    """What computes a parametrized weight when it is called."""
    owner, _, name = path.rpartition(".")
    return model.get_submodule(f"{owner}.parametrizations.{name}")


class Liveness:
    """Which channels of a network matter: those with a live input and a live output.

    A channel is dead where all weights into it, or all weights out of it, are zero or lead only from or to
    dead channels, or where a depth-wise filter of its own, through which it has to pass, is zero; what is
    dead is found by repeating that until nothing changes.
    """

    def __init__(self, blueprint: Blueprint, groups: Iterable[str]) -> None:
        self._ends = ends(blueprint, tuple(groups))

    def __call__(self, model: nn.Module, widths: Mapping[str, int]) -> dict[str, Tensor]:
        """Group -> a truth value for each channel, of a model with these widths (parametrized or not)."""
        present = {name for name, _ in model.named_modules()}
        paths = [path for path in self._ends if path.rpartition(".")[0] in present]
        return self.among({path: effective(model, path) for path in paths}, widths)

    @torch.no_grad()
    def among(self, weights: Mapping[str, Tensor], widths: Mapping[str, int]) -> dict[str, Tensor]:
        """Group -> a truth value for each channel, where these weights compute; they stand by their paths."""
        links = self._links(weights)
        alive, before = self._passing(links, widths), -1
        while (left := sum(map(np.count_nonzero, alive.values()))) != before:
            before = left
            fed, read = self._reach(links, alive)
            alive = {group: flags & fed[group] & read[group] for group, flags in alive.items()}
        return {group: torch.from_numpy(flags) for group, flags in alive.items()}

    def _links(self, weights: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Weight's path -> which output channel reads which input channel: outputs x inputs."""
        flags = {
            path: _linked(weights[path], ends.span) for path, ends in self._ends.items() if path in weights
        }
        together = torch.cat([one.flatten() for one in flags.values()]).cpu()  # one transfer from the device
        parts = together.split([one.numel() for one in flags.values()])
        return {path: part.view(flags[path].shape).numpy() for path, part in zip(flags, parts, strict=True)}

    def _passing(self, links: Mapping[str, np.ndarray], widths: Mapping[str, int]) -> dict[str, np.ndarray]:
        """Group -> which channels pass all their depth-wise filters."""
        passing = {group: np.ones(width, bool) for group, width in widths.items()}
        for path, link in links.items():
            if (filtered := self._ends[path].filtered) is not None:
                passing[filtered] &= link[:, 0]
        return passing

    def _reach(
        self, links: Mapping[str, np.ndarray], alive: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Group -> which channels have an input, and which have an output, among the live ones."""
        fed, read = ({group: np.zeros(len(flags), bool) for group, flags in alive.items()} for _ in range(2))
        for path, link in links.items():
            source, target = self._ends[path].source, self._ends[path].target
            if target is not None:
                fed[target] |= link.any(1) if source is None else link @ alive[source]
            if source is not None:
                read[source] |= link.any(0) if target is None else alive[target] @ link
        return fed, read


@dataclasses.dataclass(frozen=True)
class Ends:
    """The groups that a weight leads from and to; None is the image, or the logits.

    `span` is how many of its inputs belong to one channel. A depth-wise weight has no ends but the group
    that it filters, channel by channel.
    """

    source: str | None = None
    target: str | None = None
    span: int = 1
    filtered: str | None = None

    @property
    def made(self) -> str | None:
        """The group whose channels the weight makes or filters."""
        return self.target or self.filtered


@functools.lru_cache(maxsize=16)
def ends(blueprint: Blueprint, groups: tuple[str, ...]) -> Mapping[str, Ends]:
    """Weight's path -> its ends, of all weights that have any; one process trains many like networks."""
    slots = [(group, slot) for group, found in find(blueprint.build, groups).items() for slot in found]
    sources = {slot.path: group for group, slot in slots if slot.axis == 1}
    spans = {slot.path: slot.span for _, slot in slots if slot.axis == 1}
    targets = {slot.path: group for group, slot in slots if slot.axis == 0}
    linear = _linear_weights(blueprint.build, groups)
    return {
        path: Ends(filtered=targets[path])
        if linear[path]
        else Ends(sources.get(path), targets.get(path), spans.get(path, 1))
        for path in sorted(linear.keys() & {*sources, *targets})
    }


def _linked(weight: Tensor, span: int) -> Tensor:
    alive = weight != 0
    if span > 1:
        alive = alive.unflatten(1, (-1, span))
    return alive.any(tuple(range(2, alive.ndim))) if alive.ndim > 2 else alive
