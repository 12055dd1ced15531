"""Edits: what a method decides about a network's widths, as plain values."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cut:
    """Keep only these channels of a group, in this order; the others and all that is attached to them go."""

    group: str
    keep: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Grow:
    """Add `count` fresh channels at the end of a group.

    Weights into them have their layer's own initialisation; weights out of them have it times `outgoing`,
    so that a small value nearly preserves the network's function and 0 preserves it exactly.
    """

    group: str
    count: int
    outgoing: float = 1.0


Edit = Cut | Grow
