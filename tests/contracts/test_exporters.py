"""What every export format must do: each file of the folder is visited."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from gnap_search import catalog
from gnap_search.errors import UserError
from gnap_search.export import _scoring
from gnap_search.structure import Shape, cost
from gnap_search.structure.cost import Cost
from gnap_search.structure.model import Blueprint, Classifier
from tests.networks import kinds

SHAPE = (3, 12, 10)
IMAGES = np.random.default_rng(1).random((100, *SHAPE), np.float32)
NOTES = {"study": "a study", "classes": [f"class {index}" for index in range(10)]}


def a_model(network: str = "plain-cnn", scale: float | None = None) -> Classifier:
    """A network with zeros among its weights, used norms and, where they are optional, left-out blocks."""
    torch.manual_seed(0)
    module = catalog.implementation("networks", network)
    blueprint = Blueprint(network, SHAPE, 10)
    left_out = [group for block in sorted(blueprint.blocks)[::2] for group in block]
    widths = module.seed_widths(SHAPE, scale or kinds.scale(network)) | dict.fromkeys(left_out, 0)
    model = Classifier(blueprint, widths, 0.2, 0.4)
    with torch.no_grad():
        model.train()(torch.rand(32, *SHAPE))  # gives the running statistics values
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[torch.rand_like(parameter) < 0.5] = 0.0
            else:
                parameter.normal_()
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Classifier:
    return a_model()


@pytest.fixture(scope="module", params=catalog.names("export"))
def exported(
    request: pytest.FixtureRequest, model: Classifier, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    exporter = catalog.implementation("export", request.param)
    path = tmp_path_factory.mktemp(request.param) / exporter.FILENAME
    exporter.save(model, path, NOTES, IMAGES)
    return request.param, path


def test_every_format_is_found() -> None:
    assert set(catalog.names("export")) >= {"c", "int8", "onnx", "packed", "safetensors", "torch-export"}
    assert importlib.util.find_spec("onnx") is not catalog.implementation("export", "onnx").__spec__


@pytest.mark.parametrize("images", [1, 2, 7])
def test_the_file_gives_the_networks_answers(
    exported: tuple[str, Path], model: Classifier, images: int
) -> None:
    name, path = exported
    pixels = np.random.default_rng(0).integers(0, 256, (images, *SHAPE), np.uint8)
    inputs = _scoring.as_input(pixels)
    outputs = catalog.implementation("export", name).load(path, SHAPE).predict(inputs)
    with torch.no_grad():
        live = model(torch.from_numpy(inputs)).numpy()
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, live, atol=allowed(name, live, 1e-5))


def allowed(name: str, live: np.ndarray, rounding: float) -> float:
    """How far a logit may be off: by the rounding of float32, or by what the format says of itself."""
    return max(rounding, catalog.implementation("export", name).ROUNDING * float(np.abs(live).max()))


def costs(name: str, found: Cost, network: Cost) -> None:
    """The file's cost is the network's; only a format that rounds may make a weight zero."""
    if catalog.implementation("export", name).ROUNDING:
        assert (found.macs, found.total) == (network.macs, network.total)
        assert 0.9 * network.weights <= found.weights <= network.weights
        assert found.parameters - found.weights == network.parameters - network.weights
        assert found.live_macs <= network.live_macs
    else:
        assert found == network


def test_the_file_costs_what_the_network_costs(exported: tuple[str, Path], model: Classifier) -> None:
    name, path = exported
    costs(name, catalog.implementation("export", name).load(path, SHAPE).cost, cost.count(model, SHAPE))


def test_the_file_keeps_its_notes_and_knows_its_images(exported: tuple[str, Path]) -> None:
    name, path = exported
    loaded = catalog.implementation("export", name).load(path, None)
    assert loaded.notes == NOTES and loaded.shape == SHAPE


def test_memory_is_told(exported: tuple[str, Path], model: Classifier) -> None:
    """At least the image, and the least that a layer reads and writes."""
    name, path = exported
    needed = catalog.implementation("export", name).load(path, SHAPE).memory
    assert 4 * math.prod(SHAPE) < needed < 100 * cost.count(model, SHAPE).total


def test_the_card_says_how_it_is_loaded(exported: tuple[str, Path]) -> None:
    exporter = catalog.implementation("export", exported[0])
    assert exporter.FILENAME in exporter.LOADING.format(channels=3, height=12, width=10)


@pytest.mark.parametrize("network", kinds.distinct())
def test_every_network_is_exported_in_silence_and_stays_as_it_was(
    exported: tuple[str, Path], network: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model, untouched = a_model(network), a_model(network)
    exporter = catalog.implementation("export", exported[0])
    exporter.save(model, tmp_path / exporter.FILENAME, {}, IMAGES)
    loaded = exporter.load(tmp_path / exporter.FILENAME, SHAPE)
    assert capfd.readouterr() == ("", "")
    assert not model.folded
    same = zip(model.state_dict().values(), untouched.state_dict().values(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in same)
    images = np.random.default_rng(0).random((3, *SHAPE), np.float32)
    with torch.no_grad():
        live = model(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(loaded.predict(images), live, atol=allowed(exported[0], live, 1e-4))
    costs(exported[0], loaded.cost, cost.count(model.fold(), SHAPE))


@pytest.mark.parametrize("network", kinds.distinct())
def test_layers_of_a_single_channel_are_counted(
    exported: tuple[str, Path], network: str, tmp_path: Path
) -> None:
    model = a_model(network, scale=0.01)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)  # layers of zeros alone are one in some files
    exporter = catalog.implementation("export", exported[0])
    exporter.save(model, tmp_path / exporter.FILENAME, {}, IMAGES)
    found = exporter.load(tmp_path / exporter.FILENAME, SHAPE).cost
    costs(exported[0], found, cost.count(model.fold(), SHAPE))


def test_the_file_is_all_there_is(exported: tuple[str, Path]) -> None:
    beside = catalog.implementation("export", exported[0]).BESIDE
    assert {path.name for path in exported[1].parent.iterdir()} == {exported[1].name, *beside}


def test_the_file_tells_nothing_of_the_exporting_machine(exported: tuple[str, Path]) -> None:
    content = b"".join(path.read_bytes() for path in sorted(exported[1].parent.iterdir()))
    assert str(catalog.PACKAGE.parent).encode() not in content
    assert b"Traceback" not in content and b'File "' not in content


@pytest.mark.parametrize("damage", ["missing", "empty", "other", "cut", "garbled"])
def test_a_damaged_file_is_one_sentence(
    tmp_path: Path, exported: tuple[str, Path], damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name, whole = exported
    content = whole.read_bytes()
    middle = len(content) // 2
    contents = {
        "empty": b"",
        "other": b"This is no model at all.\n" * 20,
        "cut": content[: len(content) * 2 // 3],
        "garbled": content[: middle // 64]
        + bytes(reversed(content[middle // 64 : middle]))
        + content[middle:],
    }
    path = tmp_path / whole.name
    if damage in contents:
        path.write_bytes(contents[damage])
    with pytest.raises(UserError, match=path.name) as problem:
        catalog.implementation("export", name).load(path, SHAPE)
    assert "\n" not in str(problem.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(1, 12, 10), (3, 10, 12)])
def test_other_images_are_refused(exported: tuple[str, Path], shape: Shape) -> None:
    name, path = exported
    with pytest.raises(UserError, match="3 x 12 x 10"):
        catalog.implementation("export", name).load(path, shape)
