"""Stem: the first layer of residual networks in CIFAR style."""

from __future__ import annotations

from gnap_search.structure import Shape
from gnap_search.structure.layers import Unit, convolution

LARGE = 40  # pixels of the shorter side; above that the stem halves the image


def stem(shape: Shape, width: int, *, gain: bool = False) -> Unit:
    """A 3x3 convolution of images of that shape to so many channels, with its norm and ReLU."""
    stride = 2 if min(shape[1:]) > LARGE else 1
    return Unit(convolution(shape[0], width, stride=stride), gain=gain)
