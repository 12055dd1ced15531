"""Summary: what came of several trainings: one file, a table, and a study's folder that `front` can read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnap_search import files
from gnap_search.repeats import Repeated, Result, repeated
from gnap_search.training import configurations
from gnap_search.training.configurations import Configurations

HEADINGS = ("trials", "validation %", "test %", "parameters", "minutes", "method and settings")


def write(results: Sequence[Result], failures: Mapping[int, str], folder: Path) -> None:
    """`results.json`: every finished training, and why others failed; `test.json` as studies have it."""
    kept = {"trials": list(results), "failures": {str(trial): reason for trial, reason in failures.items()}}
    files.replace(folder / "results.json", json.dumps(kept, indent=1))
    scored = {result["point"]: result["test_accuracy"] for result in results}
    files.replace(folder / "test.json", json.dumps(scored, indent=1))


def describe(asked: Configurations, folder: Path) -> None:
    """Describe the folder as a study's is, so that `gnap-search front` and `compare` can read it."""
    plan = asked.plans[0]
    described: dict[str, Any] = {
        "dataset": plan.dataset,
        "method": ",".join(dict.fromkeys(one.method for one in asked.plans)),
        "network": plan.network,
        "task": plan.task,
        "trials": len(asked.plans),
        "epochs": max(one.epochs for one in asked.plans),
        "seed": plan.seed,
        "image_size": plan.image_size,
        "training_images": plan.training_images,
        "validation_images": plan.validation_images,
        "augmentation": plan.augmentation,
    }
    files.replace(folder / "launch.toml", "")
    files.replace(folder / "study.toml", configurations.toml(described))


def table(results: Sequence[Result]) -> str:
    """A line for each configuration: means over its seeds, and the test accuracy's standard deviation."""
    rows = [HEADINGS, *(_row(configuration) for configuration in repeated(results))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}\n"
        for row in rows
    )


def _row(configuration: Repeated) -> tuple[str, ...]:
    test = configuration.spread("test_accuracy")
    deviation = "" if test.deviation is None else f" ± {100 * test.deviation:.2f}"
    return (
        ", ".join(map(str, configuration.of_each("trial"))),
        f"{100 * configuration.spread('validation_accuracy').mean:.2f}",
        f"{100 * test.mean:.2f}{deviation}",
        f"{configuration.spread('parameters').mean:,.0f}",
        f"{configuration.spread('seconds').mean / 60:.1f}",
        ", ".join(
            [
                configuration.method,
                f"{configuration.epochs} epochs",
                *(f"{name} {value}" for name, value in configuration.settings.items()),
            ]
        ),
    )
