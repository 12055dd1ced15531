"""Pictures of one's own, through files of every format."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from typer.testing import Result

import gnap_search
from gnap_search import catalog
from gnap_search.structure.model import Blueprint, Classifier

Run = Callable[..., Result]
SHAPE = (1, 8, 8)
CLASSES = ["dark", "light"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that tells light pictures from dark ones, in every format, and a few pictures."""
    place = tmp_path_factory.mktemp("predict")
    model = Classifier(Blueprint("mlp", SHAPE, 2), {"layer1": 1, "layer2": 1, "layer3": 1}, 0.0, 1.0)
    with torch.no_grad():
        for unit in model.network.units.values():
            unit.linear.weight.fill_(1 / unit.linear.weight.shape[1])
        model.network.head.weight.copy_(torch.tensor([[-4.0], [4.0]]))
        model.network.head.bias.copy_(torch.tensor([2.0, -2.0]))
    images = np.linspace(0, 1, 64, dtype=np.float32)[:, None, None, None] * np.ones(SHAPE, np.float32)
    notes = {"classes": CLASSES}
    for name in catalog.names("export"):
        exporter = catalog.implementation("export", name)
        exporter.save(model.eval(), place / exporter.FILENAME, notes, images)
    (place / "pictures" / "deep").mkdir(parents=True)
    Image.new("L", (8, 8), 20).save(place / "pictures" / "night.png")
    Image.new("RGB", (50, 30), (230, 240, 250)).save(place / "pictures" / "deep" / "snow.jpg")
    return place


@pytest.mark.parametrize("name", catalog.names("export"))
def test_every_format_knows_its_classes_and_its_images(folder: Path, name: str) -> None:
    path = folder / catalog.implementation("export", name).FILENAME
    night, snow = gnap_search.predict(
        path, folder / "pictures" / "night.png", folder / "pictures" / "deep" / "snow.jpg"
    )
    assert (night.classes, snow.classes) == (("dark", "light"), ("light", "dark"))
    assert night.probabilities[0] > 0.9 and sum(night.probabilities) == pytest.approx(1)


def test_a_picture_is_a_line_of_a_table(run: Run, folder: Path) -> None:
    told = run(
        "predict", folder / "model.safetensors", folder / "pictures" / "night.png", "--top", "1"
    ).stdout
    assert "dark 9" in told and "light" not in told
    inverted = run("predict", folder / "model.safetensors", folder / "pictures" / "night.png", "--invert")
    assert "light 9" in inverted.stdout


def test_a_folder_is_csv(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ("predict", folder / "model.safetensors", folder / "pictures")
    rows = list(csv.DictReader(run(*words).stdout.splitlines()))
    assert [Path(row["picture"]).name for row in rows] == ["snow.jpg", "night.png"]
    assert [row["class1"] for row in rows] == ["light", "dark"]
    assert all(float(row["probability1"]) > float(row["probability2"]) for row in rows)
    run(*words, "--csv", tmp_path / "answers.csv")
    assert list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines())) == rows


def test_a_file_without_names_numbers_its_classes(run: Run, folder: Path, tmp_path: Path) -> None:
    foreign = onnx.load(folder / "model.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "theirs.onnx")
    result = run("predict", tmp_path / "theirs.onnx", folder / "pictures" / "night.png")
    assert "0 9" in result.stdout
    assert "theirs.onnx does not keep the names of its classes, so they are numbered" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.safetensors", "nothing.png"], "There is no picture nothing.png."),
        (["model.safetensors", "model.json"], "model.json is not a readable image"),
        (["model.safetensors", "empty"], "There are no images"),
        (["nothing.onnx", "pictures/night.png"], "There is no model file nothing.onnx."),
        (["model.safetensors", "pictures", "--top", "0"], "--top 0 should be above 0."),
    ],
)
def test_what_is_wrong_is_one_sentence(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "model.json").write_text("{}")
    result = run("predict", *words, exit_code=2)
    assert said in result.stderr and result.stderr.count("\n") == 1
