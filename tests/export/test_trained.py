"""A trained, pruned network taken home as ONNX: scored and counted by code that knows the file alone."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from gnap_search.contracts import Data, Split
from gnap_search.datasets import digits, mnist
from gnap_search.export import package
from gnap_search.training import evaluate
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer


def a_trained_network(data: Data, epochs: int, strength: float) -> Trainer:
    settings = {"pruning_strength": strength}
    plan = Plan(0, data.name, "gnap", "plain-cnn", "classification", epochs, 0, None, settings)
    trainer = Trainer(plan, data)
    while not trainer.finished:
        trainer.epoch()
    return trainer


def score(path: Path, data: Data) -> tuple[float, int, int]:
    """Accuracy on the test split, non-zero weights, and non-zero values of all."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": data.test.images.astype(np.float32) / 255})
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    floats = [array for array in arrays if array.dtype.kind == "f" and array.size > 1]
    weights = sum(np.count_nonzero(array) for array in floats if array.ndim >= 2)
    every = sum(np.count_nonzero(array) for array in floats)
    return float((logits.argmax(1) == data.test.labels).mean()), int(weights), int(every)


def takes_home_what_was_measured(trainer: Trainer, data: Data, directory: Path) -> None:
    point = trainer.points[-1]
    live = evaluate.accuracy(trainer.classifier, data.test, trainer.task)
    (exported,) = package(trainer.classifier, ["onnx"], directory, data, {"point": point.id})
    assert score(exported.path, data) == (live, point.weights, point.parameters)
    assert exported.test_accuracy == live > 0.8
    assert exported.cost.parameters < exported.cost.total, "the training has pruned nothing"
    assert (exported.cost.macs, exported.cost.live_macs) == (point.macs, point.live_macs)


@pytest.mark.slow
def test_digits(tmp_path: Path) -> None:
    data = digits.load(tmp_path, download=False)
    trainer = a_trained_network(data, epochs=12, strength=3e-4)
    takes_home_what_was_measured(trainer, data, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(
    "GNAP_SEARCH_TEST_DATA" not in os.environ, reason="GNAP_SEARCH_TEST_DATA names no real data"
)
def test_mnist(tmp_path: Path) -> None:
    data = mnist.load(Path(os.environ["GNAP_SEARCH_TEST_DATA"]), download=False)
    first = Split(data.train.images[:6000], data.train.labels[:6000])
    trainer = a_trained_network(dataclasses.replace(data, train=first), epochs=4, strength=1e-4)
    takes_home_what_was_measured(trainer, data, tmp_path)
