"""Summary: what came of several trainings: one file, a table, and a study's folder that `front` can read."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnap_search.training import standalone
from gnap_search.training.configurations import Configurations

Result = Mapping[str, Any]  # what `loop` leaves of a finished training
HEADINGS = ("trials", "validation %", "test %", "parameters", "minutes", "settings")


def write(results: Sequence[Result], failures: Mapping[int, str], folder: Path) -> None:
    """`results.json`: every finished training, and why others failed; `test.json` as studies have it."""
    kept = {"trials": list(results), "failures": {str(trial): reason for trial, reason in failures.items()}}
    standalone.write(folder / "results.json", json.dumps(kept, indent=1))
    scored = {result["point"]: result["test_accuracy"] for result in results}
    standalone.write(folder / "test.json", json.dumps(scored, indent=1))


def describe(asked: Configurations, folder: Path) -> None:
    """Describe the folder as a study's is, so that `gnap-search front` and `compare` can read it."""
    plan = asked.plans[0]
    described: dict[str, Any] = {
        "dataset": plan.dataset,
        "method": plan.method,
        "network": plan.network,
        "task": plan.task,
        "trials": len(asked.plans),
        "epochs": plan.epochs,
        "seed": plan.seed,
        "image_size": asked.image_size,
        "augmentation": None if plan.augmentation is None else list(plan.augmentation),
    }
    # JSON's words, whole numbers and lists of words are TOML's as well.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in described.items()
        if value is not None
    ]
    standalone.write(folder / "launch.toml", "")
    standalone.write(folder / "study.toml", "".join(lines))


def table(results: Sequence[Result]) -> str:
    """A line for each configuration: means over its seeds, and the test accuracy's standard deviation."""
    rows = [HEADINGS, *_rows(results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}\n"
        for row in rows
    )


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    in_order = sorted(results, key=lambda result: int(result["trial"]))
    groups = itertools.groupby(in_order, key=lambda result: dict(result["settings"]))
    for settings, members in groups:
        seeds = list(members)
        tests = [100 * seed["test_accuracy"] for seed in seeds]
        spread = f" ± {statistics.stdev(tests):.2f}" if len(tests) > 1 else ""
        yield (
            ", ".join(str(seed["trial"]) for seed in seeds),
            f"{100 * _mean(seeds, 'validation_accuracy'):.2f}",
            f"{statistics.fmean(tests):.2f}{spread}",
            f"{_mean(seeds, 'parameters'):,.0f}",
            f"{_mean(seeds, 'seconds') / 60:.1f}",
            ", ".join(f"{name} {value}" for name, value in settings.items()),
        )


def _mean(results: Sequence[Result], key: str) -> float:
    return statistics.fmean(result[key] for result in results)
