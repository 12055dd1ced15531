"""Predictions: what pictures show, for people and for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from gnap_search.report import wording

if TYPE_CHECKING:
    from gnap_search.export import Prediction


def table(predictions: Sequence[Prediction]) -> Table:
    """A line for each picture, the best class first."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("picture", overflow="fold")
    found.add_column("most likely classes")
    for one in predictions:
        told = (
            f"{name} {wording.accuracy(chance)}"
            for name, chance in zip(one.classes, one.probabilities, strict=True)
        )
        found.add_row(str(one.picture), ", ".join(told))
    return found


def as_csv(predictions: Sequence[Prediction]) -> str:
    """A line for each picture: its path, then classes and probabilities in turn."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    most = max((len(one.classes) for one in predictions), default=0)
    places = [(f"class{place}", f"probability{place}") for place in range(1, most + 1)]
    writer.writerow(["picture", *(heading for pair in places for heading in pair)])
    for one in predictions:
        pairs = zip(one.classes, one.probabilities, strict=True)
        writer.writerow([one.picture, *(cell for name, chance in pairs for cell in (name, f"{chance:.6f}"))])
    return text.getvalue()
