"""Dense: a network of fixed width, every weight of it trained; the baseline that all others have to beat.

No paper: this is how networks are usually made smaller. The search varies how wide the network starts, which
it then stays: `seed_scale`, which every method has, multiplies all widths.

Nothing grows and nothing is pruned. It trains for all epochs of a trial under the learning rate that the
other methods have, so that what differs between their fronts is the method alone.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from gnap_search.methods._fixed_widths import FixedWidths


@dataclasses.dataclass(frozen=True)
class Dense(FixedWidths):
    """The method has no settings of its own."""

    sparsity: ClassVar[str] = "structured"


METHOD = Dense
