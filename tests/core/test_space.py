"""Parameters of a search space: what they accept, and what is drawn from them."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gnap_search.space import Parameter, Parameters, draw

optuna.logging.set_verbosity(optuna.logging.ERROR)
adapter: TypeAdapter[dict[str, Parameter]] = TypeAdapter(Parameters)
numbers = st.floats(1e-9, 1e9) | st.integers(1, 10**6)


def drawn(written: dict[str, Any], **fixed: Any) -> dict[str, Any]:
    return draw(adapter.validate_python(written), optuna.trial.FixedTrial(fixed))  # type: ignore[arg-type]


@given(numbers, numbers, st.booleans())
def test_what_is_drawn_lies_between_the_ends(one: float, other: float, log: bool) -> None:
    low, high = sorted((one, other))
    parameters = adapter.validate_python({"x": {"low": low, "high": high, "log": log}})
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    value = draw(parameters, trial)["x"]
    assert low <= value <= high
    assert isinstance(value, int) == (isinstance(low, int) and isinstance(high, int))


def test_bare_values_are_fixed_and_bare_lists_are_choices() -> None:
    assert drawn({"x": 3e-3, "y": ["a", "b"]}, y="b") == {"x": 3e-3, "y": "b"}
    assert drawn({"x": False}) == {"x": False}


def test_a_conditional_setting_is_drawn_where_its_condition_holds() -> None:
    written = {"trigger": ["a", "b"], "period": {"low": 1, "high": 5, "when": {"trigger": "b"}}}
    assert drawn(written, trigger="a") == {"trigger": "a"}
    assert drawn(written, trigger="b", period=4) == {"trigger": "b", "period": 4}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"low": 3, "high": 2}, "low 3 is above high 2: swap them"),
        ({"low": 3}, "needs both low and high"),
        ({"low": 0, "high": 1, "log": True}, "must lie above 0"),
        ({"choices": [1, 2], "log": True}, "only a range"),
        ({"low": 1, "high": 2, "value": 3}, "either low and high, or choices, or one value"),
        ({}, "either low and high, or choices, or one value"),
        ([], "either low and high, or choices, or one value"),
        (["a", "a"], "a choice stands twice"),
        ({"low": float("nan"), "high": 1.0}, "finite number"),
        (float("inf"), "finite number"),
        ({"low": "a", "high": "b"}, "finite number"),
        ({"low": True, "high": 5}, "finite number"),
        ({"value": [1]}, "number, a word, true or false"),
    ],
)
def test_nonsense_is_refused(written: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        adapter.validate_python({"x": written})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"y": {"value": 1, "when": {"x": 1}}, "x": [1, 2]}, "must stand before it"),
        ({"x": [1, 2], "y": {"value": 1, "when": {"x": 3}}}, "never drawn"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(written: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        adapter.validate_python(written)


def test_converting_reaches_every_value() -> None:
    for written in ({"low": 1, "high": 3}, [1, 2], 3):
        parameter = adapter.validate_python({"x": written})["x"].converted(lambda value: float(value))
        assert all(isinstance(value, float) for value in parameter.examples())


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"low": 1e-6, "high": 1e-3, "log": True}, "1e-06 to 0.001, logarithmic"),
        (["a", "b"], "a or b"),
        (2, "2"),
    ],
)
def test_parameters_read_like_words(written: Any, words: str) -> None:
    assert str(adapter.validate_python({"x": written})["x"]) == words


def test_a_range_per_image_is_fitted_to_the_training_set_and_waits_unchecked_until_then() -> None:
    parameter = Parameter(low=0.5, high=50, log=True, per_image=True)
    assert parameter.converted(lambda _: 0.0) == parameter
    assert parameter.fitted(1000) == Parameter(low=0.0005, high=0.05, log=True)
    assert parameter.fitted(1000).fitted(10) == parameter.fitted(1000)
    plain = Parameter(low=2, high=8)
    assert plain.fitted(1000) == plain


def test_only_a_range_can_be_per_image() -> None:
    with pytest.raises(ValidationError, match="only a range"):
        Parameter(value=3, per_image=True)
