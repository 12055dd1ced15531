"""Formats that round: what they cost in accuracy is told, and what the card says of loading is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gnap_search import catalog
from gnap_search.contracts import Data, Split
from gnap_search.errors import UserError
from gnap_search.export import package, packed
from gnap_search.structure import Shape
from gnap_search.structure.model import Blueprint, Classifier

SHAPE: Shape = (1, 8, 8)
WIDTHS = {"layer1": 12, "layer2": 8, "layer3": 6}


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    model = Classifier(Blueprint("mlp", SHAPE, 4), WIDTHS, 0.2, 0.4)
    model.train()(torch.rand(64, *SHAPE))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[torch.rand_like(parameter) < 0.5] = 0.0
    return model.eval()


@pytest.fixture(scope="module")
def data(model: Classifier) -> Data:
    """Images with the labels that the network gives them: it is right on all."""
    pixels = np.random.default_rng(0).integers(0, 256, (400, *SHAPE), np.uint8)
    with torch.no_grad():
        labels = model(torch.from_numpy(pixels).float() / 255).argmax(1).numpy()
    split = Split(pixels, labels)
    return Data("noise", ("a", "b", "c", "d"), split, split, split, (), "none")


def test_what_rounding_costs_is_said_before_anything_is_written(
    model: Classifier, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = packed.save

    def rough(network: Classifier, path: Path, notes: dict[str, Any], images: np.ndarray) -> None:
        """As if the format had two bits."""
        worse = network.fold()
        with torch.no_grad():
            for parameter in worse.parameters():
                parameter.copy_((parameter * 2).round() / 2)
        honest(worse, path, notes, images)

    monkeypatch.setattr(packed, "save", rough)
    heard: list[str] = []

    def tell(sentence: str) -> None:
        assert not list(tmp_path.glob("model*"))
        heard.append(sentence)

    (file,) = package(model, ["packed"], tmp_path, data, {}, tell=tell)
    assert file.loss > 0.001 and file.test_accuracy == 1 - file.loss
    assert heard == [file.warning]
    assert f"loses {100 * file.loss:.2f} percentage points" in heard[0]


def test_what_costs_nothing_is_not_spoken_of(model: Classifier, data: Data, tmp_path: Path) -> None:
    heard: list[str] = []
    (file,) = package(model, ["packed"], tmp_path, data, {}, tell=heard.append)
    assert file.loss <= 0.001 and not heard and 0 < file.difference < 0.1


def test_packed_takes_two_bytes_a_weight_and_a_bit_a_number(model: Classifier, tmp_path: Path) -> None:
    packed.save(model, tmp_path / "model.packed.safetensors", {}, np.zeros((0, *SHAPE), np.float32))
    values = [value.numpy() for value in model.fold().state_dict().values()]
    living, total = sum(map(np.count_nonzero, values)), sum(value.size for value in values)
    least = 2 * living + total // 8
    assert least < (tmp_path / "model.packed.safetensors").stat().st_size < least + 1400


def test_the_lines_of_numpy_in_the_card_unpack_it(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed.save(model, tmp_path / packed.FILENAME, {}, np.zeros((0, *SHAPE), np.float32))
    lines = packed.LOADING.format(channels=1, height=8, width=8).splitlines()[1:-1]
    known: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), known)
    for name, value in model.fold().state_dict().items():
        found = known["tensors"][name]
        np.testing.assert_allclose(found, value.numpy(), rtol=2**-11, atol=6e-8)
        assert ((found != 0) == (value.numpy() != 0)).all(), "no weight may seem pruned"


def test_tiny_weights_stay_and_enormous_ones_are_refused(model: Classifier, tmp_path: Path) -> None:
    folded, path = model.fold(), tmp_path / packed.FILENAME
    images = np.zeros((0, *SHAPE), np.float32)
    with torch.no_grad():
        folded.network.head.weight.fill_(-1e-12)
        packed.save(folded, path, {}, images)
        assert (packed.unpack(path)[1]["network.head.weight"] < 0).all()
        folded.network.head.weight.fill_(1e6)
    with pytest.raises(UserError, match="too great for the format 'packed'"):
        packed.save(folded, path, {}, images)


def test_formats_that_round_say_so() -> None:
    rounding = {name: catalog.implementation("export", name).ROUNDING for name in catalog.names("export")}
    assert rounding["packed"] > 0 and rounding["int8"] > 0
    assert rounding["c"] == rounding["onnx"] == 0
