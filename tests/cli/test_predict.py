"""Pictures of one's own, through files of every format."""

from __future__ import annotations

import csv
import os
import subprocess
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
from tests import names

Run = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
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


def test_a_folder_is_read_as_it_is_for_training(run: Run, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "new"
    place.mkdir()
    for number in range(300):  # several batches
        Image.new("L", (8, 8), 20).save(place / f"{number:03}.png")
    (place / "linked").symlink_to(folder / "pictures")
    (place / "._000.png").write_bytes(b"what a Mac leaves")
    (place / ".thumbnails").mkdir()
    (place / ".thumbnails" / "000.png").write_bytes(b"damaged")
    for name in ("000.png", "299.png"):
        (place / name).write_bytes(b"damaged")
    result = run("predict", folder / "model.safetensors", place, "--csv", tmp_path / "answers.csv")
    rows = list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))
    names = [str(Path(row["picture"]).relative_to(place)) for row in rows]
    assert names == [
        *(f"{number:03}.png" for number in range(1, 299)),
        "linked/deep/snow.jpg",
        "linked/night.png",
    ]
    told = result.stderr.splitlines()
    assert len(told) == 2 and all(
        "passed over: " in line and "is not a readable image" in line for line in told
    )


def test_a_picture_that_is_named_is_refused_and_a_folder_of_nothing_readable_too(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "bad.png").write_bytes(b"damaged")
    (tmp_path / "answers.csv").write_text("those of yesterday")
    words = ("predict", folder / "model.safetensors", "--csv", tmp_path / "answers.csv")
    night = folder / "pictures" / "night.png"
    assert "bad.png is not a readable" in run(*words, night, tmp_path / "new" / "bad.png", exit_code=2).stderr
    assert "None of these pictures is a readable image." in run(*words, tmp_path / "new", exit_code=2).stderr
    assert (tmp_path / "answers.csv").read_text() == "those of yesterday"


def test_names_in_brackets_stay_as_they_are(run: Run, folder: Path, tmp_path: Path) -> None:
    for name in ("IMG [edited].png", "[b]/[/b] :smile:.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20).save(tmp_path / name)
    renamed = onnx.load(folder / "model.onnx")
    onnx.helper.set_model_props(renamed, {"gnap_search": '{"classes": ["dark [old]", "[/light]"]}'})
    onnx.save(renamed, tmp_path / "model.onnx")
    told = run("predict", "model.onnx", "IMG [edited].png", "[b]/[/b] :smile:.png").stdout
    for name in ("IMG [edited].png", "[b]/[/b] :smile:.png", "dark [old] 9", "[/light]"):
        assert name in " ".join(told.split())


@names.takes_any_bytes
def test_a_name_that_is_not_utf8_keeps_its_bytes(program: Program, folder: Path, tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    Image.new("L", (8, 8), 20).save(tmp_path / "night.png")
    (tmp_path / "night.png").rename(tmp_path / os.fsdecode(name))
    words = ("predict", folder / "model.safetensors", os.fsdecode(name))
    assert program(*words, "--csv", "answers.csv").returncode == 0
    assert name + b",dark," in (tmp_path / "answers.csv").read_bytes()
    assert not list(tmp_path.glob("*.draft"))
    assert program(*words).stdout.splitlines()[1].startswith(f"{os.fsdecode(name)}  dark")


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("name", ["onnx", "safetensors", "c"])
def test_a_model_of_other_channels_takes_no_pictures(
    run: Run, folder: Path, tmp_path: Path, name: str, channels: int
) -> None:
    exporter = catalog.implementation("export", name)
    blueprint = Blueprint("mlp", (channels, 8, 8), 2)
    model = Classifier(blueprint, {"layer1": 1, "layer2": 1, "layer3": 1}, 0.0, 1.0).eval()
    exporter.save(model, tmp_path / exporter.FILENAME, {}, np.zeros((1, channels, 8, 8), np.float32))
    result = run("predict", exporter.FILENAME, folder / "pictures", exit_code=2)
    assert f"takes images of {channels} channels, and pictures have 1 or 3" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("nodes", "batch", "shape"),
    [
        (["Relu"], "N", "(1, 3, 16, 16)"),
        (["GlobalAveragePool", "Squeeze"], 1, "(1,)"),
        (["GlobalAveragePool", "Flatten", "Squeeze"], "N", "(3,)"),
    ],
)
def test_a_model_that_classifies_nothing_is_refused(
    run: Run, folder: Path, nodes: list[str], batch: int | str, shape: str
) -> None:
    steps = [onnx.helper.make_node(kind, [f"v{at}"], [f"v{at + 1}"]) for at, kind in enumerate(nodes)]
    image = onnx.helper.make_tensor_value_info("v0", onnx.TensorProto.FLOAT, [batch, 3, 16, 16])
    output = onnx.helper.make_tensor_value_info(
        f"v{len(nodes)}", onnx.TensorProto.FLOAT, [None] * shape.count(",")
    )
    graph = onnx.helper.make_graph(steps, "theirs", [image], [output])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(proto, "theirs.onnx")
    result = run("predict", "theirs.onnx", folder / "pictures" / "night.png", exit_code=2)
    assert "theirs.onnx is no classifier of pictures: " in result.stderr
    assert f"float32 of shape {shape}, and should give numbers of shape (1, classes)." in result.stderr
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
