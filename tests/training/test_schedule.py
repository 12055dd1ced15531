"""Batches and the learning rate are pure functions of the seed and the epoch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gnap_search.training import schedule


@given(images=st.integers(2, 3000), size=st.integers(2, 300), epoch=st.integers(0, 50))
def test_an_epoch_visits_every_image_once_in_batches_of_nearly_one_size(
    images: int, size: int, epoch: int
) -> None:
    batches = schedule.batches(images, size, schedule.generator(3, epoch, "order"))
    assert torch.cat(list(batches)).sort().values.equal(torch.arange(images))
    lengths = {len(batch) for batch in batches}
    assert max(lengths) <= size or (size, max(lengths)) == (2, 3)
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) > 1, "a norm has nothing to compare a single image with"


def test_order_depends_on_seed_epoch_and_purpose_alone() -> None:
    def first(seed: int, epoch: int, purpose: str) -> list[int]:
        return schedule.batches(100, 100, schedule.generator(seed, epoch, purpose))[0].tolist()

    assert first(1, 2, "order") == first(1, 2, "order")
    others = [first(1, 2, "order"), first(2, 2, "order"), first(1, 3, "order"), first(1, 2, "weights")]
    assert len({tuple(order) for order in others}) == 4


@given(total=st.integers(1, 200), share=st.floats(0, 1))
def test_the_learning_rate_is_whole_before_the_finish_and_falls_to_zero_in_it(
    total: int, share: float
) -> None:
    at = schedule.progress(0, total, share)
    rates = [schedule.learning_rate_share(step / 4, at) for step in range(4 * total + 1)]
    assert rates[0] == 1
    assert rates[-1] == 0
    assert rates == sorted(rates, reverse=True)
    assert 0 <= at.finish < total


@pytest.mark.parametrize("total", range(3, 9))
def test_a_short_training_has_two_epochs_in_which_it_may_grow(total: int) -> None:
    assert schedule.progress(0, total, 0.7).finish >= 2
    assert schedule.progress(0, total, 1.0).finish == 0  # which asks for none


def test_small_data_has_small_batches() -> None:
    assert schedule.batch_size(0, 55_000) == 128
    assert 16 <= 1200 / schedule.batch_size(0, 1200) <= 40
    assert schedule.batch_size(64, 55_000) == 64
    assert schedule.batch_size(64, 10) == 10
