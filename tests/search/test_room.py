"""Who allows far more parameters than the best network has is told how networks begin wider."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from gnap_search import request
from gnap_search.flags import Asked
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.search import room

MakePoint = Callable[..., Point]


def told(make_point: MakePoint, size: int, accuracy: float, **asked: object) -> str:
    study = request.study(cast(Asked, {"dataset": "digits", **asked}))
    return room.unused(study, Front([make_point(0, 1, 20, 0.3), make_point(1, 1, size, accuracy)]))


def test_much_room_is_told(make_point: MakePoint) -> None:
    said = told(make_point, 2_806, 0.6, max_params=50_000)
    assert "has 2,806 of the 50,000 parameters" in said and "--set seed_scale=2" in said


@pytest.mark.parametrize(
    ("size", "accuracy", "asked"),
    [
        (2_806, 0.6, {}),
        (2_806, 0.6, {"max_params": 5_000}),
        (2_806, 0.99, {"max_params": 50_000}),
        (2_806, 0.6, {"max_params": 50_000, "parameters": {"seed_scale": 2.0}}),
        (2_806, 0.6, {"max_params": 50_000, "method": "dense"}),
        (2_806, 0.6, {"max_params": 50_000, "method": "gnap,dense"}),
    ],
)
def test_who_has_no_use_for_it_is_not_told(
    make_point: MakePoint, size: int, accuracy: float, asked: dict[str, object]
) -> None:
    assert told(make_point, size, accuracy, **asked) == ""


def test_nothing_is_said_of_nothing() -> None:
    assert room.unused(request.study({"max_params": 9_000}), Front()) == ""
