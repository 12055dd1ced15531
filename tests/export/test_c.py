"""The C of networks: compiled by the system's compiler without a warning, and right on every test image."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gnap_search import catalog, datasets
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.export import _compiler, _program, _scoring, c
from gnap_search.export._source import Source
from gnap_search.structure.model import Blueprint, Classifier
from tests.networks import kinds

IMAGES = np.zeros((0, 1, 8, 8), np.float32)
NAMES = ['"?', "naïve", "*/ end", "/* begin", "back\\slash", "??/", "%s", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def digits() -> Data:
    return datasets.load("digits")


def a_network(name: str, data: Data) -> Classifier:
    """A network with random weights, half of them zero, and running statistics of real images."""
    torch.manual_seed(0)
    widths = catalog.implementation("networks", name).seed_widths(data.shape, kinds.scale(name))
    model = Classifier(Blueprint(name, data.shape, len(data.classes)), widths, 0.3, 0.4)
    with torch.no_grad():
        model.train()(torch.from_numpy(_scoring.as_input(data.train.images[:256])))
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter[torch.rand_like(parameter) < 0.5] = 0.0
    return model.eval()


@pytest.mark.parametrize("network", kinds.distinct())
def test_every_test_image_is_classified_as_by_the_live_network(
    network: str, digits: Data, tmp_path: Path
) -> None:
    model = a_network(network, digits)
    c.save(model, tmp_path / "model.c", {}, IMAGES)
    outputs = c.load(tmp_path / "model.c", digits.shape).predict(_scoring.as_input(digits.test.images))
    with torch.no_grad():
        live = model(torch.from_numpy(_scoring.as_input(digits.test.images))).numpy()
    np.testing.assert_allclose(outputs, live, atol=1e-4)
    assert (outputs.argmax(1) == live.argmax(1)).all()


@pytest.fixture(scope="module")
def written(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("c") / "model.c"
    c.save(a_network("resnet", digits), path, {"classes": NAMES, "study": "*/ /* ??/ \\"}, IMAGES)
    return path


@pytest.mark.parametrize("flags", [["-O2"], ["-O3", "-march=native"], ["-O1", "-mno-sse3"]])
def test_compilers_find_nothing_to_say(written: Path, tmp_path: Path, flags: list[str]) -> None:
    command = [
        _compiler.find(),
        *_compiler.STRICT,
        *flags,
        "-c",
        str(written),
        "-o",
        str(tmp_path / "model.o"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_scalars_do_as_well_as_vectors(written: Path, digits: Data, tmp_path: Path) -> None:
    """A processor without vector instructions computes lanes of one number."""
    text = written.read_text().replace("__GNUC__", "NOT_" + "GNUC")
    (tmp_path / "model.c").write_text(text)
    (tmp_path / "model.h").write_text(written.with_suffix(".h").read_text())
    _compiler.run(
        tmp_path / "model.c", tmp_path / "scalar.so", (*_compiler.STRICT, "-O2", "-fPIC", "-shared")
    )
    function = ctypes.CDLL(str(tmp_path / "scalar.so")).model_logits
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    images = _scoring.as_input(digits.test.images[:20])
    logits = np.empty((20, 10), np.float32)
    for image, row in zip(images, logits, strict=True):
        function(image.ctypes.data, row.ctypes.data)
    np.testing.assert_allclose(logits, c.load(written, None).predict(images), atol=1e-5)


def test_a_program_that_calls_it_prints_the_class(written: Path, digits: Data, tmp_path: Path) -> None:
    """Bytes go in, and the class's name comes out, whatever its letters mean in C."""
    main = tmp_path / "main.c"
    main.write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void)\n{\n'
        "    unsigned char image[MODEL_CHANNELS * MODEL_HEIGHT * MODEL_WIDTH];\n"
        "    float logits[MODEL_CLASSES];\n    int i, best = 0;\n"
        "    if (fread(image, 1, sizeof image, stdin) != sizeof image)\n        return 1;\n"
        "    model_logits_of_bytes(image, logits);\n"
        "    for (i = 1; i < MODEL_CLASSES; i++)\n"
        "        if (logits[i] > logits[best])\n            best = i;\n"
        "    puts(model_classes[best]);\n    return 0;\n}\n"
    )
    program = tmp_path / "program"
    flags = [*_compiler.STRICT, "-O1", f"-I{written.parent}", str(main), str(written), "-o", str(program)]
    subprocess.run([_compiler.find(), *flags], check=True)
    model = c.load(written, None)
    for image in digits.test.images[:5]:
        told = subprocess.run([program], input=image.tobytes(), capture_output=True, check=True).stdout
        best = int(model.predict(_scoring.as_input(image[None]))[0].argmax())
        assert told.decode() == NAMES[best] + "\n"


def test_nothing_is_allocated_and_nothing_but_the_header_included(written: Path) -> None:
    text = written.read_text()
    assert "malloc" not in text and text.count("#include") == 1


def test_weights_of_zero_are_not_there(digits: Data) -> None:
    program = _program.read(a_network("plain-cnn", digits).fold())
    text = Source(program, ()).text("model.h")
    weights = "".join(part.partition("}")[0] for part in text.split("static const float weights_")[1:])
    assert weights.count("f,") + weights.count("f\n") == program.cost().weights


def test_without_a_compiler_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    changed = tmp_path / "model.c"
    c.save(a_tiny_network(), changed, {}, IMAGES)
    with pytest.raises(UserError, match="needs a C compiler") as problem:
        c.load(changed, None)
    assert "\n" not in str(problem.value)


def test_a_library_that_cannot_be_loaded_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "true")
    _compiler.loaded.cache_clear()
    c.save(a_tiny_network(), tmp_path / "model.c", {}, IMAGES)
    with pytest.raises(UserError, match=r"What .*true made of model\.c cannot be loaded") as problem:
        c.load(tmp_path / "model.c", None)
    assert "\n" not in str(problem.value)


def test_a_file_by_another_name_asks_for_the_header_that_it_includes(tmp_path: Path) -> None:
    c.save(a_tiny_network(), tmp_path / "model.c", {}, IMAGES)
    renamed, header = (tmp_path / f"model{end}" for end in (".c", ".h"))
    renamed = renamed.rename(tmp_path / "cats.c")
    assert c.load(renamed, None).shape == (1, 8, 8)
    header.rename(tmp_path / "cats.h")
    with pytest.raises(UserError, match=r"model\.h is missing, which cats\.c includes"):
        c.load(renamed, None)


def test_a_changed_file_is_refused(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.c"
    path.write_text(written.read_text().replace("0.0f", "1.0f"))
    with pytest.raises(UserError, match="was changed since"):
        c.load(path, None)


def a_tiny_network() -> Classifier:
    widths = {"layer1": 1, "layer2": 1, "layer3": 1}
    return Classifier(Blueprint("mlp", (1, 8, 8), 2), widths, 0.0, 1.0).eval()


class Various(nn.Module):
    """What no bundled network does: windows that overlap, means of windows, dilation, groups, clipping."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 2))
        self.second = nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2)
        self.third = nn.Conv2d(6, 6, 3, padding=(0, 1), bias=False)
        self.head = nn.Linear(6 * 2 * 4, 5)

    def forward(self, images: Tensor) -> Tensor:
        values = functional.relu6(self.first(images) * 3.0 + 0.5)
        values = functional.max_pool2d(self.second(values), 3, 1) + 0.25
        values = functional.avg_pool2d(values, (1, 2))
        values = functional.relu(self.third(functional.relu(values)))
        logits: Tensor = self.head(values.flatten(1))
        return logits


class Strange(Various):
    """An operation that C does not know."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).sigmoid()


def taken_by(network: nn.Module) -> Classifier:
    """A classifier with that network inside."""
    model = Classifier(Blueprint("mlp", (3, 12, 10), 5), {"layer1": 1, "layer2": 1, "layer3": 1}, 0.1, 0.5)
    model.network = network
    return model.eval()


def test_other_operations_are_understood(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = taken_by(Various())
    images = np.random.default_rng(0).random((4, 3, 12, 10), np.float32)
    with torch.no_grad():
        live = model(torch.from_numpy(images)).numpy()
    c.save(model, tmp_path / "model.c", {}, images)
    np.testing.assert_allclose(c.load(tmp_path / "model.c", None).predict(images), live, atol=1e-5)


def test_what_is_not_understood_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sigmoid") as problem:
        c.save(taken_by(Strange()), tmp_path / "model.c", {}, IMAGES)
    assert "\n" not in str(problem.value) and not list(tmp_path.iterdir())
