"""Evaluation of files that others wrote, and of files that are no models."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

from gnap_search.contracts import Data, Split
from gnap_search.errors import UserError
from gnap_search.export import evaluate, side_of

IMAGE = (3, 6, 6)


@pytest.fixture(scope="module")
def data() -> Data:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (101, *IMAGE), np.uint8)
    split = Split(images, images.reshape(101, 4, -1).mean(2).argmax(1))
    return Data("quarters", ("a", "b", "c", "d"), split, split, split, (), "none")


def foreign(path: Path, batch: int | str = "N", image: Sequence[int | str] = IMAGE, classes: int = 4) -> Path:
    """A convolution, a batch norm and a fully connected layer, as another exporter might write them."""
    generator = np.random.default_rng(1)
    values = {
        "conv": generator.normal(size=(2, 3, 3, 3)),
        "gain": np.ones(2),
        "shift": np.zeros(2),
        "mean": np.zeros(2),
        "variance": np.ones(2),
        "dense": generator.normal(size=(2 * 4 * 4, classes)),
    }
    values["conv"][0, 0] = 0.0
    nodes = [
        helper.make_node("Conv", ["pixels", "conv"], ["maps"]),
        helper.make_node("BatchNormalization", ["maps", "gain", "shift", "mean", "variance"], ["normed"]),
        helper.make_node("Flatten", ["normed"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, *image])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("batch", ["N", 1, 7])
def test_a_foreign_file_is_counted_and_scored(tmp_path: Path, data: Data, batch: int | str) -> None:
    evaluation = evaluate(foreign(tmp_path / "theirs.onnx", batch), data)
    assert evaluation.cost.weights == (2 * 3 * 9 - 9) + 2 * 16 * 4
    assert evaluation.cost.parameters == evaluation.cost.weights + 2 + 2
    assert evaluation.cost.total == 2 * 3 * 9 + 4 + 2 * 16 * 4
    assert evaluation.cost.macs == 2 * 3 * 9 * 16 + 2 * 16 * 4
    assert evaluation.cost.live_macs == (2 * 3 * 9 - 9) * 16 + 2 * 16 * 4
    assert 0 <= evaluation.accuracy <= 1


def test_a_split_that_is_cut_anew_is_doubted(tmp_path: Path, data: Data) -> None:
    file = foreign(tmp_path / "ours.onnx")
    proto = onnx.load(file)
    notes = {"held_out": data.held_out, "classes": list(data.classes)}
    helper.set_model_props(proto, {"gnap_search": json.dumps(notes)})
    onnx.save(proto, file)
    cut = dataclasses.replace(data, cut=("validation", "test"))
    less = Split(data.test.images[1:], data.test.labels[1:])
    assert not evaluate(file, cut).doubt
    assert (
        "may have been trained on some of them" in evaluate(file, dataclasses.replace(cut, test=less)).doubt
    )
    assert not evaluate(file, dataclasses.replace(data, test=less)).doubt  # it came with the data
    fewer = evaluate(file, dataclasses.replace(data, validation=less), "validation")
    assert fewer.doubt.startswith("some of these validation images were trained on")


def test_all_images_of_all_splits_are_scored(tmp_path: Path, data: Data) -> None:
    file, generator = foreign(tmp_path / "theirs.onnx"), np.random.default_rng(1)
    other = Split(generator.integers(0, 256, (7, *IMAGE), np.uint8), np.zeros(7, np.int64))
    found = evaluate(file, dataclasses.replace(data, train=other), "all")
    parts = [evaluate(file, dataclasses.replace(data, train=other), part) for part in ("train", "test")]
    right = parts[0].accuracy * 7 + 2 * parts[1].accuracy * len(data.test)
    assert (found.images, found.split) == (7 + 2 * len(data.test), "all")
    assert found.accuracy == pytest.approx(right / found.images)


def test_the_batch_that_a_file_is_made_for_changes_nothing(tmp_path: Path, data: Data) -> None:
    free = evaluate(foreign(tmp_path / "free.onnx"), data)
    fixed = evaluate(foreign(tmp_path / "fixed.onnx", 7), data)
    assert (free.accuracy, free.cost, free.memory) == (fixed.accuracy, fixed.cost, fixed.memory)


def program(path: Path, batch: int | None) -> Path:
    """A convolution and a fully connected layer as another program, for so many images or for any number."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 4)).eval()
    dynamic = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    exported = torch.export.export(layers, (torch.zeros(batch or 2, *IMAGE),), dynamic_shapes=dynamic)
    torch.export.save(exported, path)
    return path


def test_the_batch_that_a_program_is_made_for_changes_nothing(tmp_path: Path, data: Data) -> None:
    free = evaluate(program(tmp_path / "free.pt2", None), data)
    fixed = evaluate(program(tmp_path / "fixed.pt2", 7), data)
    assert (free.accuracy, free.cost, free.memory) == (fixed.accuracy, fixed.cost, fixed.memory)


def test_images_of_any_size_are_taken_at_the_data_sets(tmp_path: Path, data: Data) -> None:
    evaluation = evaluate(foreign(tmp_path / "any.onnx", image=("C", "H", "W")), data)
    assert evaluation.cost.macs == 2 * 3 * 9 * 16 + 2 * 16 * 4


def test_each_split_can_be_scored(tmp_path: Path, data: Data) -> None:
    path = foreign(tmp_path / "model.onnx")
    assert evaluate(path, data, "validation").split == "validation"


def sentence(path: Path, data: Data) -> str:
    with pytest.raises(UserError) as problem:
        evaluate(path, data)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_other_images_and_classes_are_told(tmp_path: Path, data: Data) -> None:
    assert "1 x 6 x 6" in sentence(foreign(tmp_path / "grey.onnx", image=(1, 6, 6)), data)
    assert "10 values" in sentence(foreign(tmp_path / "ten.onnx", classes=10), data)


def named(path: Path, classes: Sequence[str]) -> Path:
    """The same file with names of its classes."""
    model = onnx.load(foreign(path))
    helper.set_model_props(model, {"gnap_search": json.dumps({"classes": list(classes)})})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("classes", ["abce", "abdc"])
def test_classes_of_other_names_or_in_another_order_are_told(
    tmp_path: Path, data: Data, classes: str
) -> None:
    path = named(tmp_path / "model.onnx", "abcd")
    assert evaluate(path, data).images == 101
    said = sentence(path, dataclasses.replace(data, classes=tuple(classes)))
    assert f"has the classes a, b, c, d and quarters has {', '.join(classes)}:" in said


@pytest.mark.parametrize(("image", "side"), [((3, 6, 6), 6), ((3, 6, 8), None), (("C", "H", "W"), None)])
def test_a_file_may_tell_the_side_of_its_images(
    tmp_path: Path, image: Sequence[int | str], side: int | None
) -> None:
    assert side_of(foreign(tmp_path / "model.onnx", image=image)) == side


def test_a_damaged_name_is_told(tmp_path: Path, data: Data) -> None:
    path = foreign(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(b"Flatten", b"Fl\xfftten"))
    assert "model.onnx is not a readable ONNX model" in sentence(path, data)


@pytest.mark.parametrize("header", ["{", "{}"])
def test_a_damaged_header_is_told(tmp_path: Path, data: Data, header: str) -> None:
    save_file({"x": np.zeros(1)}, tmp_path / "model.safetensors", {"gnap_search": header})
    assert "is not a readable gnap-search model" in sentence(tmp_path / "model.safetensors", data)


def test_a_second_input_is_refused(tmp_path: Path, data: Data) -> None:
    path = foreign(tmp_path / "two.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    assert "mask" in sentence(path, data)


def test_an_unknown_ending_tells_the_known_ones(tmp_path: Path, data: Data) -> None:
    assert ".onnx, .pt2, .safetensors" in sentence(tmp_path / "model.pth", data)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".safetensors"])
def test_a_missing_file_is_told(tmp_path: Path, data: Data, suffix: str) -> None:
    assert "There is no model file" in sentence(tmp_path / f"model{suffix}", data)
