"""Packages: what is written, what is proved about it, and that a failure writes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from gnap_search import catalog
from gnap_search.contracts import Data, LoadedModel, Split
from gnap_search.errors import UserError
from gnap_search.export import Exported, evaluate, onnx, package, safetensors
from gnap_search.structure import cost
from gnap_search.structure.model import Blueprint, Classifier

SHAPE = (1, 8, 8)
FORMATS = ("safetensors", "onnx", "torch-export")
NOTES = {"study": "digits", "point": "3-7", "config": {"pruning_strength": 1e-4}}


@pytest.fixture(scope="module")
def data() -> Data:
    generator = np.random.default_rng(0)

    def split(images: int) -> Split:
        pixels = generator.integers(0, 256, (images, *SHAPE), np.uint8)
        return Split(pixels, generator.integers(0, 4, images))

    return Data("noise", ("a", "b", "c", "d"), split(8), split(8), split(1003), (), "none")


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    widths = {"conv1": 3, "conv2": 4, "conv3": 5, "conv4": 6, "conv5": 7}
    model = Classifier(Blueprint("plain-cnn", SHAPE, 4), widths, 0.2, 0.4)
    model.train()(torch.rand(32, *SHAPE))
    return model.eval()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("package") / "new" / "folder"


@pytest.fixture(scope="module")
def exported(model: Classifier, data: Data, directory: Path) -> list[Exported]:
    return package(model, FORMATS, directory, data, NOTES)


def test_every_file_is_there_with_its_manifest_and_nothing_else(
    exported: list[Exported], directory: Path
) -> None:
    assert [file.format for file in exported] == list(FORMATS)
    names = {file.path.name for file in exported}
    assert {path.name for path in directory.iterdir()} == names | {"model.json", "model.md"}
    assert all(file.path.parent == directory for file in exported)


def test_every_file_scores_what_the_live_network_scores(
    exported: list[Exported], model: Classifier, data: Data
) -> None:
    with torch.no_grad():
        answers = model(torch.from_numpy(data.test.images).float() / 255).argmax(1).numpy()
    live = float((answers == data.test.labels).mean())
    assert [file.test_accuracy for file in exported] == [live] * len(FORMATS)
    assert all(file.difference <= 1e-4 for file in exported)


def test_sizes_are_those_of_the_disk(exported: list[Exported], model: Classifier) -> None:
    for file in exported:
        assert file.size.bytes == file.path.stat().st_size
        assert 0 < file.size.gzip_bytes < file.size.bytes
        assert file.cost == cost.count(model, SHAPE)
        assert file.cost.total * 4 < file.size.bytes


def test_the_manifest_tells_what_a_program_needs(
    exported: list[Exported], data: Data, directory: Path
) -> None:
    manifest = json.loads((directory / "model.json").read_text())
    assert manifest.items() >= NOTES.items()
    assert manifest["classes"] == list(data.classes)
    assert manifest["image"] == {"channels": 1, "height": 8, "width": 8}
    assert manifest["normalisation"] == pytest.approx({"mean": 0.2, "deviation": 0.4})
    assert [entry["file"] for entry in manifest["files"]] == [file.path.name for file in exported]
    assert manifest["cost"]["parameters"] == exported[0].cost.parameters
    assert manifest["versions"]["torch"] == torch.__version__


def test_the_card_tells_people_what_they_should_know(exported: list[Exported], directory: Path) -> None:
    card = (directory / "model.md").read_text()
    cost = exported[0].cost
    for told in (cost.parameters, cost.weights, cost.parameters - cost.weights, cost.total, cost.macs):
        assert f"| {told:,} |" in card
    headings = (
        "Data",
        "Accuracy",
        "Size",
        "Files",
        "How to load it",
        "How it was trained",
        "Limits",
        "Licence",
    )
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(headings)
    assert "a, b, c, d" in card and "not confirmed" in card and "pruning_strength 0.0001" in card
    assert all(f"| `{file.path.name}` | " in card for file in exported)
    assert "onnxruntime.InferenceSession" in card and "torch.export.load" in card


def test_speed_is_measured_beside_pytorch_and_onnxruntime(exported: list[Exported], directory: Path) -> None:
    speeds = {file.format: file.speed for file in exported}
    assert all(speed and speed.seconds > 0 and speed.eager > 0 for speed in speeds.values())
    assert speeds["onnx"] and speeds["onnx"].seconds == speeds["onnx"].onnx
    told = json.loads((directory / "model.json").read_text())["files"][0]
    assert told["memory"] > 0 and told["speed"]["eager"] > 0


def test_all_may_read_the_files(exported: list[Exported]) -> None:
    umask = os.umask(0)
    os.umask(umask)
    assert {file.path.stat().st_mode & 0o777 for file in exported} == {0o666 & ~umask}


def test_evaluation_agrees_with_the_package(exported: list[Exported], data: Data) -> None:
    for file in exported:
        evaluation = evaluate(file.path, data)
        assert (evaluation.format, evaluation.images) == (file.format, 1003)
        assert (evaluation.accuracy, evaluation.cost) == (file.test_accuracy, file.cost)
        assert 0 < evaluation.latency_median_seconds <= evaluation.latency_p95_seconds
        assert evaluation.images_per_second > 0


def test_exporting_again_replaces_the_files(model: Classifier, data: Data, tmp_path: Path) -> None:
    package(model, ["safetensors"], tmp_path, data, {"study": "old"})
    package(model, ["safetensors"], tmp_path, data, {"study": "new"})
    assert json.loads((tmp_path / "model.json").read_text())["study"] == "new"
    assert len(list(tmp_path.iterdir())) == 3


def test_nothing_of_another_export_stays_beside_the_card(
    model: Classifier, data: Data, tmp_path: Path
) -> None:
    heard: list[str] = []
    package(model, ["c", "safetensors"], tmp_path, data, {"point": "old"})
    for name in ("model.onnx", "notes.txt"):
        (tmp_path / name).write_text("mine")
    package(model, ["safetensors"], tmp_path, data, {"point": "new"}, tell=heard.append)
    kept = {"model.safetensors", "model.json", "model.md", "model.onnx", "notes.txt"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert heard == [f"model.c, model.h of an earlier export to {tmp_path} will be removed."]


def test_another_format_of_the_same_network_joins_the_first(
    model: Classifier, data: Data, tmp_path: Path
) -> None:
    package(model, ["c"], tmp_path, data, {"point": "0-3"})
    package(model, ["safetensors"], tmp_path, data, {"point": "0-3"})
    kept = {"model.c", "model.h", "model.safetensors", "model.json", "model.md"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert [file["file"] for file in manifest["files"]] == ["model.safetensors", "model.c"]
    assert "model.c" in (tmp_path / "model.md").read_text()
    (tmp_path / "model.c").unlink()
    package(model, ["safetensors"], tmp_path, data, {"point": "0-3"})
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert [file["file"] for file in manifest["files"]] == ["model.safetensors"]


@pytest.mark.parametrize(
    "manifest", ['{"files": [{"file": "../mine"}, {"file": "mine"}]}', "[1]", '{"files": 1}']
)
def test_what_others_wrote_stays(model: Classifier, data: Data, tmp_path: Path, manifest: str) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    (tmp_path / "new" / "model.json").write_text(manifest)
    package(model, ["safetensors"], tmp_path / "new", data, NOTES)
    assert (tmp_path / "mine").exists() and (tmp_path / "new" / "mine").exists()


def test_a_crash_between_two_files_leaves_the_former_manifest(
    model: Classifier, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(model, ["c", "safetensors"], tmp_path, data, {"point": "old"})
    replace = os.replace

    def crashing(source: Path, target: Path) -> None:
        if target.name == "model.safetensors":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", crashing)
        package(model, ["safetensors"], tmp_path, data, {"point": "new"})
    assert json.loads((tmp_path / "model.json").read_text())["point"] == "old"


def test_a_test_accuracy_that_nobody_knew_is_told(model: Classifier, data: Data, tmp_path: Path) -> None:
    (file,) = package(model, ["safetensors"], tmp_path, data, {**NOTES, "test_accuracy": None})
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert manifest["test_accuracy"] == file.notes["test_accuracy"] == file.test_accuracy
    assert f"| this network | - | {100 * file.test_accuracy:.2f} % |" in (tmp_path / "model.md").read_text()


def refused(model: Classifier, data: Data, directory: Path, formats: tuple[str, ...] = FORMATS) -> str:
    """The sentence that an export ends with, after which nothing may lie there."""
    with pytest.raises(UserError) as problem:
        package(model, formats, directory, data, NOTES)
    assert not directory.exists()
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_an_unknown_format_names_the_nearest(model: Classifier, data: Data, tmp_path: Path) -> None:
    assert "'onnx'" in refused(model, data, tmp_path / "new", ("safetensors", "onx"))


def test_no_format_at_all_names_the_known_ones(model: Classifier, data: Data, tmp_path: Path) -> None:
    assert "known: c, int8, onnx, " in refused(model, data, tmp_path / "new", ())


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_tells_how_to_install_it(
    library: str, model: Classifier, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    sentence = refused(model, data, tmp_path / "new", ("safetensors", "onnx"))
    assert library in sentence and "pip install 'gnap-search[export]'" in sentence


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 10 kB: what a full disk is like; pytest's report is a file as well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", FORMATS)
def test_a_disk_without_room_writes_nothing(name: str, model: Classifier, data: Data, tmp_path: Path) -> None:
    wide = Classifier(model.blueprint, dict.fromkeys(model.widths, 16), 0.2, 0.4)
    with small_files():
        sentence = refused(wide, data, tmp_path / "new", (name,))
    assert sentence == f"Cannot write the export to {tmp_path / 'new'}: File too large."


def test_a_file_in_the_way_is_named(model: Classifier, data: Data, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file" / "new") in refused(model, data, tmp_path / "file" / "new")


def test_a_folder_in_the_way_leaves_an_earlier_export_whole(
    model: Classifier, data: Data, tmp_path: Path
) -> None:
    package(model, ["safetensors"], tmp_path, data, {"point": "old"})
    (tmp_path / "model.c").mkdir()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=r"model\.c is a folder; move it, or name another place with -o"):
        package(model, ["c"], tmp_path, data, {"point": "new"})
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_file_that_answers_otherwise_is_not_kept(
    model: Classifier, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = safetensors.load

    def wrong(path: Path, shape: tuple[int, int, int]) -> LoadedModel:
        loaded = honest(path, shape)
        return dataclasses.replace(loaded, predict=lambda images: loaded.predict(images) + 1e-2)

    monkeypatch.setattr(safetensors, "load", wrong)
    assert "differ by up to 1.0e-02" in refused(model, data, tmp_path / "new", ("onnx", "safetensors"))


def test_formats_do_not_hide_the_libraries_of_their_names() -> None:
    assert onnx is catalog.implementation("export", "onnx")
    import onnx as library

    assert library.ModelProto is not None and library is not onnx
