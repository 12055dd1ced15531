"""VGG-16, CIFAR style: 13 convolutions and a hidden layer, 14,991,946 parameters at full width.

`_vgg.py` has the paper, what differs from it, and the names of the groups of channels.
"""

from __future__ import annotations

from gnap_search.networks import _vgg

ARCHITECTURE = _vgg.Architecture(depths=(2, 2, 3, 3, 3))
seed_widths, build = ARCHITECTURE.seed_widths, ARCHITECTURE.build
