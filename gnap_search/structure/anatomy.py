"""Anatomy: a plain network layer by layer: how wide it is, and which of its weights are alive."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import nn

from gnap_search.structure.cost import LINEAR, positions
from gnap_search.structure.model import Classifier


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or a fully connected layer; equal to nothing but itself.

    `kernel` is a convolution's height and width, and None in a fully connected layer; `depthwise` says that
    each channel has a filter of its own. `density` is the share of live weights in each kernel, outputs x
    inputs, or outputs x 1 where depth-wise; `weights` counts all that are kept, `live` those that are not
    zero.
    """

    name: str
    kernel: tuple[int, int] | None
    depthwise: bool
    inputs: int
    outputs: int
    weights: int
    live: int
    density: np.ndarray


def layers(classifier: Classifier) -> list[Layer]:
    """The layers that run, in the order in which an image passes them."""
    network = classifier.network
    running = positions(network, classifier.blueprint.shape)
    modules = [(name, network.get_submodule(name)) for name in running]
    return [_layer(name, module) for name, module in modules if isinstance(module, LINEAR)]


def _layer(name: str, module: nn.Conv2d | nn.Linear) -> Layer:
    alive = module.weight.detach().cpu().numpy() != 0
    outputs, inputs = alive.shape[:2]
    convolution = isinstance(module, nn.Conv2d)
    depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
    return Layer(
        name=name,
        kernel=(alive.shape[2], alive.shape[3]) if convolution else None,
        depthwise=depthwise,
        inputs=outputs if depthwise else inputs,
        outputs=outputs,
        weights=alive.size,
        live=int(alive.sum()),
        density=alive.reshape(outputs, inputs, -1).mean(2),
    )
