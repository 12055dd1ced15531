"""What every published front must be, whoever wrote it."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from gnap_search.contracts import Data
from gnap_search.export import evaluate
from gnap_search.training import configurations

SHARED = {
    *(
        "study",
        "dataset",
        "data_digest",
        "image_size",
        "training_images",
        "validation_images",
        "augmentation",
    ),
    *("method", "network", "task", "objectives"),
    *("trials", "epochs", "limits", "commands", "environments", "hypervolume", "points", "configurations"),
    "files",
}
OF_A_POINT = {
    *("id", "trial", "epoch", "parameters", "weights", "macs", "validation_accuracy", "test_accuracy"),
    *("seed", "config", "model"),
}
LATER = {"confirmed", "live_macs", "training_macs"}  # which older records lack
OF_A_MODEL = {"file", "bytes", "sha256", "parameters", "test_accuracy"}
AVERAGED = {"validation_accuracy", "test_accuracy", "parameters"}


def record(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "front.json").read_text())
    return told


def check_record(folder: Path) -> None:
    """The record says everything, and the points are a front."""
    told = record(folder)
    assert set(told) == SHARED and told["commands"] and told["environments"] and told["points"]
    assert all(environment["versions"]["torch"] for environment in told["environments"])
    for point in told["points"]:
        assert set(point) - LATER == OF_A_POINT and set(point["model"]) == OF_A_MODEL
        assert point["model"]["file"] == "{parameters}-trial{trial}-epoch{epoch}.onnx".format(**point)
        assert 0 < point["model"]["parameters"] <= point["parameters"], "folding may merge some"
        assert abs(point["model"]["test_accuracy"] - point["test_accuracy"]) < 0.003, "near ties aside"
    for key in ("parameters", "validation_accuracy"):
        values = [point[key] for point in told["points"]]
        assert values == sorted(set(values))
    for configuration in told["configurations"]:
        assert set(configuration) == {"config", "trials", "seeds", *AVERAGED}
        assert len(set(configuration["seeds"])) == len(configuration["trials"]) > 1
        assert all(configuration[key]["standard_deviation"] >= 0 for key in AVERAGED)


def check_files(folder: Path) -> None:
    """The folder holds what the record names, unchanged, and nothing else."""
    told = record(folder)
    files = {one["file"]: one for one in [*told["files"], *(point["model"] for point in told["points"])]}
    assert {path.name for path in folder.iterdir()} == {"front.json", *files}
    for name, one in files.items():
        content = (folder / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
    with (folder / "front.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [point["id"] for point in told["points"]]


def check_trials(folder: Path) -> None:
    """The file of trainings has those of every point, and every repeated one."""
    told = record(folder)
    asked = configurations.read(folder / "trials.toml")
    given = [(plan.seed, plan.settings) for plan in asked.plans]
    assert all((point["seed"], point["config"]) in given for point in told["points"])
    for configuration in told["configurations"]:
        assert all((seed, configuration["config"]) in given for seed in configuration["seeds"])
    assert {(plan.dataset, plan.method, plan.network, plan.epochs) for plan in asked.plans} == {
        tuple(told[key] for key in ("dataset", "method", "network", "epochs"))
    }


def check_score(folder: Path, data: Data) -> None:
    """The best network scores and counts what the record says of it."""
    told = record(folder)
    best = told["points"][-1]["model"]
    found = evaluate(folder / best["file"], data)
    assert data.digest == told["data_digest"]
    assert (found.accuracy, found.cost.parameters) == (best["test_accuracy"], best["parameters"])
