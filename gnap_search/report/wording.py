"""Numbers as people read them, the same in every table, line and plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnap_search.confirmation import Spread

PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def count(number: int) -> str:
    """A whole number: `12,345`."""
    return f"{number:,}"


def rounded(number: float) -> str:
    """A large number in few characters: `1.23 M`."""
    number = float(f"{number:.3g}")  # 999,700 is 1 M then, and not 1,000 k
    for size, prefix in PREFIXES:
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g}"


def accuracy(share: float | None) -> str:
    """An accuracy in per cent; a dash where there is none."""
    return "-" if share is None else f"{share:.2%}".replace("%", " %")


def percentages(accuracies: Spread) -> str:
    """Accuracies over several seeds in per cent: `97.12 ± 0.30`, or without a deviation `97.12`."""
    deviation = "" if accuracies.deviation is None else f" ± {100 * accuracies.deviation:.2f}"
    return f"{100 * accuracies.mean:.2f}{deviation}"


def counts(numbers: Spread) -> str:
    """Whole numbers over several seeds: `1,234 ± 56`, or without a deviation `1,234`."""
    deviation = "" if numbers.deviation is None else f" ± {numbers.deviation:,.0f}"
    return f"{numbers.mean:,.0f}{deviation}"


def duration(seconds: float) -> str:
    """A time to the precision that matters: `12 s`, `3 min`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def plural(number: int, noun: str) -> str:
    """A counted noun: `1 trial`, `2 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def value(written: Any) -> str:
    """A setting's value; floats to four digits."""
    return f"{written:.4g}" if isinstance(written, float) else str(written)


def assignments(settings: Mapping[str, Any]) -> str:
    """Settings on one line: `growth_factor 1.4, pruning_strength 3e-06`."""
    return ", ".join(f"{name} {value(written)}" for name, written in settings.items())
