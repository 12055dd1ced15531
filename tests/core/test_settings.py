"""Settings are checked once, against their declarations."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gnap_search import settings
from gnap_search.errors import UserError
from gnap_search.settings import Bounds, setting


@dataclasses.dataclass(frozen=True)
class Knobs:
    """One of every kind."""

    rate: float = setting(0.1, "a rate", Bounds(0, 1))
    count: int = setting(3, "a count", Bounds(1))
    mode: str = setting("slow", "a mode", Bounds(choices=("slow", "fast")))
    loud: bool = setting(False, "whether it is loud")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rate", 1, 1.0),
        ("rate", "1e-3", 1e-3),
        ("count", 4.0, 4),
        ("mode", "fast", "fast"),
        ("loud", "true", True),
    ],
)
def test_values_take_their_settings_type(name: str, value: Any, expected: Any) -> None:
    converted = settings.check(name, value, settings.known(Knobs))
    assert converted == expected and type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rat", 1, "Unknown setting 'rat'; did you mean 'rate'"),
        ("rate", 1.5, "rate = 1.5 is above its greatest value 1"),
        ("rate", -0.5, "rate = -0.5 is below its least value 0"),
        ("rate", "much", "is not a number"),
        ("rate", float("nan"), "is not a number"),
        ("rate", True, "is not a number"),
        ("count", 1.5, "is not a whole number"),
        ("count", "many", "is not a whole number"),
        ("count", 0, "below its least value 1"),
        ("count", float("inf"), "is not a whole number"),
        ("count", 10**400, "count is too large: a number has at most 308 digits"),
        ("rate", -(10**400), "rate is too large"),
        ("mode", "quick", "is not one of slow, fast"),
        ("mode", 3, "is not a word"),
        ("loud", 1, "is not a truth value"),
    ],
)
def test_what_a_setting_does_not_accept_is_refused(name: str, value: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        settings.check(name, value, settings.known(Knobs))


def test_decoding_leaves_other_settings_alone() -> None:
    assert settings.decode(Knobs, {"rate": 0.5, "unrelated": 3}) == Knobs(rate=0.5)
