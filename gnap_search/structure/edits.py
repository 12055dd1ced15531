"""Edits: what a method decides about a network's widths, as plain values."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cut:
    """Keep only these channels of a group, in this order; the others and all that is attached to them go.

    With the last channel of a group that may be empty its whole block goes, whatever becomes of its other
    groups.
    """

    group: str
    keep: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Grow:
    """Add `count` fresh channels at the end of a group.

    Weights into them have their layer's own initialisation; weights out of them have it times `outgoing`,
    so that a small value nearly preserves the network's function and 0 preserves it exactly. A block that was
    left out, at width 0, grows in all of its groups at once. There `outgoing` of the block's last group
    multiplies the gain of the block's last norm instead; at 0 the block starts silent and opens as that gain
    learns.
    """

    group: str
    count: int
    outgoing: float = 1.0


@dataclasses.dataclass(frozen=True)
class Split:
    """Add a child for each of these different channels, behind the others, made of it.

    A child's bias and norm are its parent's. Weights into it are the parent's times `incoming`, weights out
    of it the parent's times `outgoing`, both with `noise` times the layer's own initialisation added; weights
    out of the parent are multiplied by `kept`. Without noise, and where `outgoing + kept` is 1 and `incoming`
    is 1, the network computes what it did. No other edit of its group stands beside it.
    """

    group: str
    parents: tuple[int, ...]
    incoming: float = 1.0
    outgoing: float = 0.5
    kept: float = 0.5
    noise: float = 0.0


@dataclasses.dataclass(frozen=True)
class Settle:
    """From now on the network consists of plain weights: those that it computes with at this moment.

    What the method had attached is gone, and of its hooks `prepare` alone is still called.
    """


Edit = Cut | Grow | Split | Settle
