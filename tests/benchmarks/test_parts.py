"""Parts that several benchmarks share."""

from __future__ import annotations

import time

import pytest

from benchmarks import graphics, processes
from benchmarks.training import SIZES, noise


def test_noise_to_validate_on_is_other_noise() -> None:
    data = noise((1, 8, 8), 32)
    count = len(data.validation)
    assert (data.validation.images != data.train.images[:count]).any((1, 2, 3)).all()


def test_a_quick_look_at_a_gpu_takes_as_many_rounds_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for loop in ("ours", "plain"):
        monkeypatch.setattr(graphics, loop, lambda *_: lambda: time.sleep(1e-3))
    told = graphics._beside_plain(SIZES[0], 16, 2, "cpu")
    assert [len(figure.values) for figure in told] == [2, 2, 2]


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"No module named benchmarks\.nothing"):
        processes.told("benchmarks.nothing", 1)
