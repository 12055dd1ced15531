"""`python -m benchmarks NAME [--json FILE] [--small]`: one benchmark, its figures as a Markdown table.

The exit code is 1 where a bound is not kept; `--small` is a quick run that only shows that all of it works,
and judges nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.rounds import Figure

NAMES = (
    *("training", "graphics", "kernels", "growth", "study", "proposals", "startup", "inference"),
    *("search", "live", "scale"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", type=Path, help="also write every round's values to this file")
    parser.add_argument("--small", action="store_true", help="a quick run at tiny size")
    asked = parser.parse_args(arguments)
    start, before = time.monotonic(), machine.description()
    figures: list[Figure] = importlib.import_module(f"benchmarks.{asked.name}").figures(small=asked.small)
    facts = {
        "command": f"python -m benchmarks {asked.name}{' --small' if asked.small else ''}",
        "measured": time.strftime("%Y-%m-%d"),
        **before,
        "load after": machine.description()["load"],
        "took": f"{time.monotonic() - start:.0f} s",
    }
    print("\n".join([*(f"- {key}: {value}" for key, value in facts.items()), "", *table(figures)]))
    if asked.json:
        asked.json.write_text(
            json.dumps({"facts": facts, "figures": [_record(one) for one in figures]}, indent=1)
        )
    return 0 if asked.small or all(figure.kept is not False for figure in figures) else 1


def table(figures: list[Figure]) -> list[str]:
    """The lines of a Markdown table."""
    rows = ["| figure | median | lowest | highest | asked | kept |", "|---|---:|---:|---:|---:|---|"]
    for figure in figures:
        told = [
            _told(value, figure.unit) for value in (figure.median, min(figure.values), max(figure.values))
        ]
        kept = {True: "yes", False: "no", None: ""}[figure.kept]
        rows.append("| " + " | ".join([figure.name, *told, _bound(figure), kept]) + " |")
    return rows


def _told(value: float, unit: str) -> str:
    return f"{value:,.{_places(value)}f} {unit}".rstrip()


def _places(value: float) -> int:
    """So many decimals that three digits are told."""
    return 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3


def _bound(figure: Figure) -> str:
    if figure.at_least is not None:
        return f"≥ {figure.at_least:g}"
    return "" if figure.at_most is None else f"≤ {figure.at_most:g}"


def _record(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "values": list(figure.values),
        "median": figure.median,
        "at_least": figure.at_least,
        "at_most": figure.at_most,
    }


if __name__ == "__main__":
    sys.exit(main())
