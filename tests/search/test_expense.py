"""What trainings cost is learnt from their settings, and expected before the first one."""

from __future__ import annotations

import math

import pytest

from gnap_search.search.expense import Expense
from tests.search.conftest import small_study

PARAMETERS = {
    "price": {"low": 1e-5, "high": 1e-3, "log": True, "cheap": "high"},
    "width": {"low": 1, "high": 5},
    "kind": ["plain", "deep"],
}
SPACE = small_study(parameters=PARAMETERS).parameters


def settings(price: float = 1e-4, width: int = 3, kind: str = "plain"):
    return {"price": price, "width": width, "kind": kind}


def test_before_the_first_training_the_cheap_end_is_expected_to_be_cheap():
    expense = Expense(SPACE, [])
    assert expense(settings(price=1e-3)) < expense(settings(price=1e-5))
    assert expense(settings(width=1)) == expense(settings(width=5, kind="deep"))


def test_trainings_may_say_otherwise():
    def cost(one: dict) -> float:
        return 1e6 * one["price"] * 2 ** one["width"] * (10 if one["kind"] == "deep" else 1)

    tried = [
        settings(price, width, kind)
        for price in (1e-5, 1e-4, 1e-3)
        for width in (1, 3, 5)
        for kind in ("plain", "deep")
    ]
    expense = Expense(SPACE, [(one, cost(one)) for one in tried])
    for one in (settings(3e-5, 2), settings(5e-4, 4, "deep")):
        assert expense(one) == pytest.approx(math.log10(cost(one)), abs=0.1)


def test_nothing_searched_costs_the_same():
    nothing = small_study(parameters={"fixed": 1}).parameters
    assert Expense(nothing, [({}, 100.0)])({}) == 0.0
