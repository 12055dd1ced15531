"""Blueprint and Classifier: a network as a function of widths, and the plain one that people take home."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialised
from torch import Tensor, nn

from gnap_search import catalog, files
from gnap_search.errors import UserError, first_line
from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit

M = TypeVar("M", bound=nn.Module)

FORMAT = 1  # of the files written here; raised when an older reader could no longer read them


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """Which architecture, for which images and classes: all that building needs besides the widths."""

    network: str
    shape: Shape
    classes: int

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        """A freshly initialised network of these widths."""
        module: nn.Module = catalog.implementation("networks", self.network).build(
            widths, self.shape, self.classes
        )
        return module

    @functools.cached_property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups of channels."""
        return tuple(self.seed_widths(1.0))

    def seed_widths(self, scale: float) -> dict[str, int]:
        """The widths that the architecture starts with, about proportional to `scale`."""
        network = catalog.implementation("networks", self.network)
        widths: dict[str, int] = network.seed_widths(self.shape, scale)
        return widths

    @functools.cached_property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """The blocks that may be left out, each by its inner groups, which have width 0 all or none."""
        blocks: tuple[tuple[str, ...], ...] = getattr(
            catalog.implementation("networks", self.network), "OPTIONAL", ()
        )
        return blocks

    @functools.cached_property
    def block_of_layer(self) -> Mapping[str, tuple[str, ...]]:
        """The last group of each block -> the block: of a block's groups the last one has its layer."""
        return {block[-1]: block for block in self.blocks}

    @functools.cached_property
    def optional(self) -> frozenset[str]:
        """The groups that may have width 0: inner channels of blocks that are identities without them."""
        return frozenset(group for block in self.blocks for group in block)


class Classifier(nn.Module):
    """A plain network with its normalisation inside: images in [0, 1], N x C x H x W -> logits, N x classes.

    It knows no method and needs none to be loaded. `mean` and `deviation` are one number each for all
    channels.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, blueprint: Blueprint, widths: Mapping[str, int], mean: float, deviation: float
    ) -> None:
        super().__init__()
        self.blueprint, self.widths = blueprint, dict(widths)
        self.network = blueprint.build(widths)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - self.mean) / self.deviation)
        return logits

    @property
    def folded(self) -> bool:
        """Whether the norms have been merged into the convolutions."""
        return not any(unit.norm is not None for unit in self.modules() if isinstance(unit, Unit))

    def fold(self) -> Classifier:
        """A copy for inference: every norm merged into its convolution, as a scale and one bias a channel."""
        folded = copy.deepcopy(self).eval()
        for unit in folded.modules():
            if isinstance(unit, Unit):
                unit.fold()
        return folded


def undrawn() -> contextlib.AbstractContextManager[None]:
    """While this lasts, networks are built that nobody trains: nobody else misses what is drawn for them."""
    return torch.random.fork_rng(devices=[])


def placed(module: M, device: str) -> M:
    """The module itself, now on a device, and its filters in memory with their channels last."""
    where: dict[str, Any] = {"device": device, "memory_format": torch.channels_last}
    return module.to(**where)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A classifier as it was at one moment, with notes about it: what a model file holds."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, Any]

    @classmethod
    def of(cls, model: Classifier, notes: Mapping[str, Any]) -> Self:
        """A copy of the classifier's values; `notes` is kept as JSON."""
        values = model.state_dict()
        copies = [torch.empty_like(one, memory_format=torch.contiguous_format) for one in values.values()]
        torch._foreach_copy_(copies, list(values.values()))
        return cls(dict(zip(values, copies, strict=True)), header(model, notes))

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.tensors.items()}
        files.replace(path, serialised(arrays, metadata={"gnap_search": json.dumps(self.header)}))


def header(model: Classifier, notes: Mapping[str, Any]) -> dict[str, Any]:
    """What a model file says of its classifier, so that `rebuilt` can build it; `notes` is JSON."""
    return {
        "format": FORMAT,
        "network": model.blueprint.network,
        "shape": model.blueprint.shape,
        "classes": model.blueprint.classes,
        "widths": dict(model.widths),
        "folded": model.folded,
        "notes": dict(notes),
    }


def save(model: Classifier, path: Path, notes: Mapping[str, Any]) -> None:
    """Write a classifier to one safetensors file, atomically; `notes` is kept as JSON in its header."""
    Snapshot.of(model, notes).save(path)


def load(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """Read a classifier and its notes.

    Raises:
        UserError: the file is missing, damaged, or not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["gnap_search"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        model, notes = rebuilt(about, tensors), about["notes"]
    except FileNotFoundError:
        raise UserError(f"There is no model file {path}.") from None
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as problem:
        raise UserError(
            f"{path} is not a readable gnap-search model ({first_line(problem)}); "
            "restore it, or export it again."
        ) from None
    return model, notes


def rebuilt(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Classifier:
    """The classifier that a header describes, with these values.

    Raises:
        KeyError, RuntimeError: the two do not belong together.
    """
    blueprint = Blueprint(header["network"], tuple(header["shape"]), header["classes"])
    model = Classifier(blueprint, header["widths"], 0.0, 1.0)
    if header["folded"]:
        model = model.fold()
    model.load_state_dict(tensors)
    return model.eval()
