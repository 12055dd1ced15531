"""ResNet-56, CIFAR style: three stages of nine residual blocks, 855,770 parameters at full width.

K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, section 4.2, with projection
shortcuts (option B) where a stream begins. `_residual.py` names the groups of channels.
"""

from __future__ import annotations

from gnap_search.networks import _residual

ARCHITECTURE = _residual.Architecture(streams=(16, 32, 64), blocks=9)
OPTIONAL, seed_widths, build = ARCHITECTURE.optional, ARCHITECTURE.seed_widths, ARCHITECTURE.build
