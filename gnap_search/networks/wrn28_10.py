"""WRN-28-10 style: three stages of four wide residual blocks, 36,479,194 parameters at full width.

After S. Zagoruyko and N. Komodakis, Wide Residual Networks, arXiv 1605.07146. As there, projection shortcuts
have no norm. Deviations: norm and ReLU stand behind each convolution instead of before it, which changes no
count and lets every norm be folded into its convolution; and there is no dropout.
`_residual.py` names the groups of channels.
"""

from __future__ import annotations

from gnap_search.networks import _residual

ARCHITECTURE = _residual.Architecture(streams=(160, 320, 640), blocks=4, stem=16, plain_shortcuts=True)
OPTIONAL, seed_widths, build = ARCHITECTURE.optional, ARCHITECTURE.seed_widths, ARCHITECTURE.build
