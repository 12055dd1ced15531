"""ResNet-110, CIFAR style: three stages of 18 residual blocks, 1,730,714 parameters at full width.

K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, section 4.2, with projection
shortcuts (option B) where a stream begins. `_residual.py` names the groups of channels.
"""

from __future__ import annotations

from gnap_search.networks import _residual

ARCHITECTURE = _residual.Architecture(streams=(16, 32, 64), blocks=18)
OPTIONAL, seed_widths, build = ARCHITECTURE.optional, ARCHITECTURE.seed_widths, ARCHITECTURE.build
