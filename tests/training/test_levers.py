"""What makes training faster changes no history beyond rounding."""

from __future__ import annotations

import pytest
import torch

from gnap_search.contracts import Data
from gnap_search.results import Point
from gnap_search.structure import fused
from gnap_search.training import evaluate, images
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

GROWING = {
    "pruning_strength": 1e-3,
    "growth_trigger": "periodic",
    "growth_period": 1,
    "finishing_share": 0.3,
    "learning_rate": 3e-3,  # longer steps make more of every rounding
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
