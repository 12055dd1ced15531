"""Static sparse: the mask that was drawn is the mask for good."""

from __future__ import annotations

import pytest
import torch

from gnap_search.contracts import Data
from gnap_search.structure.masks import Mask, masked
from gnap_search.training.trainer import Plan, Trainer


def trainer(data: Data, seed: int = 5, **settings: float | str) -> Trainer:
    return Trainer(
        Plan(0, "digits", "static-sparse", "plain-cnn", "classification", 4, seed, None, settings), data
    )


@pytest.mark.parametrize("distribution", ["uniform", "erdos-renyi-kernel"])
def test_as_many_weights_exist_as_were_asked(distribution: str, small_digits: Data) -> None:
    training = trainer(small_digits, density=0.3, distribution=distribution)
    layers = masked(training.model, Mask)
    wanted = 0.3 * sum(one.weight.numel() for one in layers)
    assert abs(sum(int(one.mask.kept.sum()) for one in layers) - wanted) <= len(layers)


def test_the_mask_never_changes_while_no_channel_dies(small_digits: Data) -> None:
    training = trainer(small_digits, density=0.5)
    drawn = [one.mask.kept.clone() for one in masked(training.model, Mask)]
    widths = dict(training.widths)
    while not training.finished:
        training.epoch()
    assert training.widths == widths
    kept = [one.mask.kept for one in masked(training.model, Mask)]
    assert all(torch.equal(now, before) for now, before in zip(kept, drawn, strict=True))


def test_dead_channels_take_their_weights_along(small_digits: Data) -> None:
    training = trainer(small_digits, density=0.02, distribution="uniform")
    drawn = sum(int(one.mask.kept.sum()) for one in masked(training.model, Mask))
    widths = dict(training.widths)
    point = training.epoch()
    assert all(point.widths[group] <= widths[group] for group in widths) and point.widths != widths
    left = sum(int(one.mask.kept.sum()) for one in masked(training.model, Mask))
    assert point.weights == left < drawn


def test_another_seed_draws_another_mask(small_digits: Data) -> None:
    one, other = (masked(trainer(small_digits, seed, distribution="uniform").model, Mask) for seed in (1, 2))
    assert not any(torch.equal(a.mask.kept, b.mask.kept) for a, b in zip(one, other, strict=True))
