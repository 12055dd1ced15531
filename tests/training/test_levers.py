"""What makes training faster changes no history beyond rounding."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from unittest import mock

import pytest
import torch
from torch import Tensor

from gnap_search.contracts import Data
from gnap_search.results import Point
from gnap_search.settings import Value
from gnap_search.structure import fused, plain, surgery
from gnap_search.structure.edits import Edit
from gnap_search.training import evaluate, images
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

GROWING: dict[str, Value] = {
    "pruning_strength": 1e-3,
    "growth_trigger": "periodic",
    "growth_period": 1,
    "finishing_share": 0.3,
    "learning_rate": 3e-3,  # longer steps make more of every rounding
}
NARROWING: dict[str, dict[str, Value]] = {
    "gnap": {**GROWING, "pruning_strength": 3e-3, "gate_learning_rate": 1e-2, "gate_start": 0.05},
    "cgap": {"pruning_quantile": 0.95},
    "structured-sparsification": {"budget": 0.2},
    "complexity-aware": {"pruning_strength": 30.0, "theta_learning_rate": 0.1},
    "magnitude": {"density": 0.05},
    "rigl": {"density": 0.2},
}


def history(data: Data, device: str = "cpu", precision: str = "float32") -> list[Point]:
    """Three epochs with a growth after the first one, and gates that close."""
    settings = {**GROWING, "precision": precision}
    plan = Plan(0, "digits", "gnap", "plain-cnn", "classification", 3, 5, ("affine",), settings)
    trainer = Trainer(plan, data, device)
    while not trainer.finished:
        trainer.epoch()
    assert any(point.grown for point in trainer.points)
    return trainer.points


def check_same(points: list[Point], others: list[Point], rounding: float = 1e-3) -> None:
    for one, other in zip(points, others, strict=True):
        assert (one.widths, one.grown, one.phase) == (other.widths, other.grown, other.phase)
        assert one.training_loss == pytest.approx(other.training_loss, rel=rounding)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=rounding)
        assert one.parameters == pytest.approx(other.parameters, rel=rounding)


class Building(surgery.Operation):
    """One for which a network has to be built anew."""

    def __init__(
        self, widths: Mapping[str, int], edits: Sequence[Edit], blocks: Iterable[tuple[str, ...]]
    ) -> None:
        super().__init__(widths, edits, blocks)
        self.narrows = False


def states(trainer: Trainer) -> list[dict[str, Tensor]]:
    """All tensors of the network, its optimiser and the plain network after every epoch."""
    found = []
    while not trainer.finished:
        trainer.epoch()
        every = {**trainer.state()[0], **trainer.classifier.state_dict()}
        found.append({name: tensor.clone() for name, tensor in every.items()})
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.xdist_group("kernels")
@pytest.mark.skipif(not fused.AVAILABLE, reason="numba is not installed")
def test_the_fused_operation(small_digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "MANY", 1 << 60)
    separate = history(small_digits)
    monkeypatch.setattr(fused, "MANY", 0)
    check_same(history(small_digits), separate)


def test_the_size_of_evaluated_batches(small_digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = history(small_digits)
    monkeypatch.setitem(evaluate.BATCH, "cpu", 7)
    check_same(history(small_digits), whole)


def test_tensors_that_an_earlier_trial_left(small_digits: Data) -> None:
    images.to_device.cache_clear()
    images.statistics.cache_clear()
    first = history(small_digits)
    check_same(history(small_digits), first, rounding=0)


def test_fewer_bits(small_digits: Data) -> None:
    check_same(history(small_digits, precision="bfloat16"), history(small_digits), rounding=0.1)


@pytest.mark.parametrize("method", NARROWING)
def test_channels_that_go_in_place(few_digits: Data, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against networks that are built anew whenever a channel goes: bit by bit, and as they lie in memory."""
    network = "resnet" if method == "structured-sparsification" else "mobilenet"  # there, blocks go whole
    plan = Plan(0, "digits", method, network, "classification", 6, 3, (), NARROWING[method])
    narrowed = mock.Mock(wraps=surgery.narrow)
    monkeypatch.setattr(surgery, "narrow", narrowed)
    ours = states(Trainer(plan, few_digits))
    assert narrowed.called
    monkeypatch.setattr(surgery, "Operation", Building)
    monkeypatch.setattr(plain, "_within", operator.eq)
    for one, other in zip(ours, states(Trainer(plan, few_digits)), strict=True):
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert tensor.equal(other[name]), name
            assert tensor.stride() == other[name].stride(), name


def test_rates_that_lie_in_memory(small_digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a recorded step needs of the optimiser, tried where nothing is recorded."""
    written = history(small_digits)
    monkeypatch.setattr(Trainer, "_on_gpu", property(lambda _: True))
    monkeypatch.setattr(Trainer, "_stepper", lambda trainer, _phase: trainer._step)
    check_same(history(small_digits), written, rounding=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recorded_steps(small_digits: Data, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = history(small_digits, "cuda", precision)
    monkeypatch.setattr(Trainer, "_stepper", lambda trainer, _phase: trainer._step)
    check_same(recorded, history(small_digits, "cuda", precision), rounding=1e-2)
