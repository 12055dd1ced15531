"""ResNet-164, CIFAR style: three stages of 18 bottleneck blocks, 1,704,154 parameters at full width.

K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, section 4.2, with projection
shortcuts (option B) where a stream begins and a bottleneck of 1x1, 3x3 and 1x1 convolutions in each block.
`_residual.py` names the groups of channels.
"""

from __future__ import annotations

from gnap_search.networks import _residual

ARCHITECTURE = _residual.Architecture(
    streams=(64, 128, 256), blocks=18, kernels=(1, 3, 1), expansion=4, stem=16
)
OPTIONAL, seed_widths, build = ARCHITECTURE.optional, ARCHITECTURE.seed_widths, ARCHITECTURE.build
