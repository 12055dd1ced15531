"""Grid CNN: `plain-cnn` whose head knows where: it weighs a channel's averages over each of 3 x 3 fields.

Global average pooling forgets where on an image a feature is. A head with a weight for each field costs nine
times as much, but where single weights are pruned, only those stay that are worth it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from gnap_search.networks import _plain
from gnap_search.networks._plain import seed_widths as seed_widths
from gnap_search.structure import Shape

FIELDS = 3  # in each direction


class GridCNN(nn.Module):
    """N x C x H x W -> N x classes."""

    def __init__(self, widths: Mapping[str, int], shape: Shape, classes: int) -> None:
        super().__init__()
        self.units = _plain.units(widths, shape)
        rows, columns = (_Fields(side // _plain.reduction(shape)) for side in shape[1:])
        self.window, self.stride = (rows.window, columns.window), (rows.stride, columns.stride)
        self.head = nn.Conv2d(widths[_plain.LAST], classes, (rows.count, columns.count))

    def forward(self, images: Tensor) -> Tensor:
        fields = functional.avg_pool2d(_plain.maps(self.units, images), self.window, self.stride)
        logits: Tensor = self.head(fields).flatten(1)
        return logits


class _Fields:
    """Fields that cover a side of a map, overlapping where it cannot be divided evenly."""

    def __init__(self, side: int) -> None:
        self.count = min(FIELDS, side)
        self.stride = side // self.count
        self.window = side - (self.count - 1) * self.stride


def build(widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
    """A freshly initialised network."""
    return GridCNN(widths, shape, classes)
