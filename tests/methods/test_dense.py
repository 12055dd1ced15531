"""Dense: the network that was asked, and nothing else."""

from __future__ import annotations

import pytest

from gnap_search.contracts import Data
from gnap_search.structure.cost import count
from gnap_search.training.trainer import Plan, Trainer


@pytest.mark.parametrize("scale", [0.4, 1.2])
def test_a_dense_network_keeps_its_widths_and_every_weight(scale: float, small_digits: Data) -> None:
    plan = Plan(0, "digits", "dense", "plain-cnn", "classification", 4, 5, None, {"seed_scale": scale})
    training = Trainer(plan, small_digits)
    widths, cost = dict(training.widths), count(training.classifier.network, small_digits.shape)
    while not training.finished:
        training.epoch()
    assert training.widths == widths
    assert {point.parameters for point in training.points} == {cost.parameters} == {cost.total}
