"""What a training outside of a search needs around it, and which networks have blocks to leave out."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import torch

from gnap_search import catalog
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.training import plan as plans
from gnap_search.training import standalone
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer
from tests.conftest import MakePoint


@pytest.mark.parametrize("device", ["cpu:x", "cpu:7", "cuda:1", "gpu", ""])
def test_no_device_is_taken_but_those_that_are_told(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(UserError, match="should be cpu or cuda; CUDA_VISIBLE_DEVICES chooses which GPU"):
        standalone.refuse_device(device)
    standalone.refuse_device("cpu")
    standalone.refuse_device("cuda")


def test_the_last_network_is_scored_by_the_task_that_it_learnt(
    tmp_path: Path, small_digits: Data, make_point: MakePoint
) -> None:
    plan = Plan(0, "digits", "dense", "mlp", "classification", 1, 0, None, {})
    trainer = Trainer(plan, small_digits)
    learnt: Any = trainer.task
    wrong: Any = types.SimpleNamespace()
    wrong.loss, wrong.score = learnt.loss, lambda outputs, labels: len(labels) - learnt.score(outputs, labels)
    trial: Any = types.SimpleNamespace(
        points=[make_point(0, 1, 100, 0.5)], folder=tmp_path, trainer=trainer, plan=plan
    )
    _, right = standalone.keep_last(trial, small_digits)
    trainer.task = wrong
    _, other = standalone.keep_last(trial, small_digits)
    assert other == pytest.approx(1 - right) != right


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("OPTIONAL = ()", True),
        ("OPTIONAL, build = 1, 2", True),
        ("OPTIONAL: tuple[str, ...] = ()", True),
        ('"""It has no OPTIONAL blocks."""', False),
        ("from other import OPTIONAL_PARTS", False),
        ("def build():\n    OPTIONAL = 1", False),
    ],
)
def test_blocks_are_those_that_a_network_declares(
    text: str, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "source", lambda *_: text)
    assert plans._has_blocks("network") == blocks


def test_the_bundled_networks_declare_what_they_have() -> None:
    for name in catalog.names("networks"):
        assert plans._has_blocks(name) == hasattr(catalog.implementation("networks", name), "OPTIONAL")
