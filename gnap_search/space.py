"""Space: ranges, choices and fixed values of settings, some of them conditional, and the draws from it.

In TOML, under `[parameters]`:

    pruning_strength = { low = 1e-6, high = 1e-3, log = true }   # a range of numbers
    saturation_patience = { low = 2, high = 8 }                   # whole numbers: both ends are whole
    growth_trigger = ["saturation", "periodic"]                   # choices
    growth_period = { low = 2, high = 9, when = { growth_trigger = "periodic" } }
    learning_rate = 3e-3                                          # fixed
    pruning_strength = { low = 0.03, high = 5, log = true, per_image = true }
    seed_scale = { low = 0.5, high = 2, log = true, cheap = "low" }

The last but one is a range for any data set: both ends are divided by the number of training images. The last
says at which end trainings are cheap: a study begins there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from gnap_search.settings import DIGITS, Value


class Suggest(Protocol):
    """What a draw needs of a trial: Optuna's own define-by-run calls."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int: ...
    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


def _number(written: Any) -> int | float:
    if isinstance(written, bool) or not isinstance(written, int | float):
        raise ValueError("should be a finite number")
    try:
        finite = math.isfinite(written)
    except OverflowError:
        raise ValueError(f"should have at most {DIGITS} digits") from None
    if not finite:
        raise ValueError("should be a finite number")
    return written


def _value(written: Any) -> Value:
    if isinstance(written, float) and not math.isfinite(written):
        raise ValueError("should be a finite number")
    if not isinstance(written, bool | int | float | str):
        raise ValueError("should be a number, a word, true or false")
    return written


# Plain functions, because pydantic reports a union's failure once for each of its members.
Number = Annotated[int | float, PlainValidator(_number)]
Setting = Annotated[Value, PlainValidator(_value)]


class Parameter(BaseModel):
    """One setting of a search space: a range (`low`, `high`), choices, or one fixed value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Number | None = None
    high: Number | None = None
    log: bool = False
    per_image: bool = False
    cheap: Literal["low", "high"] | None = None
    choices: tuple[Setting, ...] = ()
    value: Setting | None = None
    when: dict[str, Setting] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Parameter:
        if (self.low is None) != (self.high is None):
            raise ValueError("a range needs both low and high")
        forms = (self.low is not None) + bool(self.choices) + (self.value is not None)
        if forms != 1:
            raise ValueError("give either low and high, or choices, or one value")
        if len(set(map(repr, self.choices))) < len(self.choices):
            raise ValueError("a choice stands twice in it")
        return self

    @model_validator(mode="after")
    def _is_a_range_upwards(self) -> Parameter:
        if self.log and self.low is None:
            raise ValueError("only a range of low and high can be logarithmic")
        if self.per_image and self.low is None:
            raise ValueError("only a range of low and high can be per image")
        if self.cheap and self.low is None:
            raise ValueError("only a range of low and high has a cheap end")
        if self.low is not None and self.high is not None:
            if self.low > self.high:
                raise ValueError(f"low {self.low} is above high {self.high}: swap them")
            if self.log and self.low <= 0:
                raise ValueError(f"a logarithmic range must lie above 0, and low is {self.low}")
        return self

    @property
    def searched(self) -> bool:
        """Whether there is anything to choose."""
        return self.value is None

    def examples(self) -> tuple[Value, ...]:
        """The values at its ends, or all of its choices: what a check must accept."""
        if self.value is not None:
            return (self.value,)
        return self.choices or tuple(end for end in (self.low, self.high) if end is not None)

    def admits(self, value: Value) -> bool:
        """Whether a draw may give this value."""
        if self.low is None or self.high is None:
            return value in self.examples()
        return isinstance(value, int | float) and self.low <= value <= self.high

    def converted(self, convert: Callable[[Value], Value]) -> Parameter:
        """The same with every value passed through `convert`; a range per image waits until it is fitted."""
        if self.per_image:
            return self
        written = self.written()
        changed: dict[str, Any] = {
            key: convert(written[key]) for key in ("low", "high", "value") if key in written
        }
        if self.choices:
            changed["choices"] = tuple(convert(choice) for choice in self.choices)
        return Parameter.model_validate({**written, **changed})

    def fitted(self, images: int) -> Parameter:
        """The same for a training set of that many images: a range per image becomes a plain one."""
        if not self.per_image or self.low is None or self.high is None:
            return self
        ends = {"low": self.low / images, "high": self.high / images, "per_image": False}
        return self.model_copy(update=ends)

    def written(self) -> dict[str, Any]:
        """Its keys without those that are left out by default."""
        return self.model_dump(exclude_defaults=True)

    def suggest(self, name: str, trial: Suggest) -> Value:
        """One draw by `trial`."""
        if self.value is not None:
            return self.value
        if self.choices:
            chosen: Value = trial.suggest_categorical(name, self.choices)
            return chosen
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        assert self.low is not None and self.high is not None  # the validator saw to it
        return trial.suggest_float(name, float(self.low), float(self.high), log=self.log)

    def __str__(self) -> str:
        """As people read it: `1e-06 to 0.0001, logarithmic`."""
        if self.low is None:
            words = " or ".join(str(choice) for choice in self.examples())
        else:
            words = f"{self.low} to {self.high}" + (", logarithmic" if self.log else "")
            words += ", divided by the number of training images" if self.per_image else ""
        conditions = " and ".join(f"{other} is {wanted}" for other, wanted in self.when.items())
        return f"{words}, when {conditions}" if conditions else words


def _expand(written: Any) -> Any:
    """A bare value means fixed, a bare list means choices."""
    if isinstance(written, list | tuple):
        return {"choices": tuple(written)}
    return written if isinstance(written, dict | Parameter) else {"value": written}


def _conditions_can_hold(parameters: dict[str, Parameter]) -> dict[str, Parameter]:
    """Settings are drawn in the order in which they stand, so a condition may only name an earlier one."""
    drawn: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        for other, wanted in parameter.when.items():
            if other not in drawn:
                raise ValueError(f"{name} depends on {other!r}, which must stand before it")
            if drawn[other].low is None and wanted not in drawn[other].examples():
                raise ValueError(
                    f"{name} waits for {other} = {wanted!r}, which is never drawn: let {other} have that "
                    f"value too, or fix {name}"
                )
        drawn[name] = parameter
    return parameters


Parameters = Annotated[
    dict[str, Annotated[Parameter, BeforeValidator(_expand)]], AfterValidator(_conditions_can_hold)
]


def draw(parameters: Parameters, trial: Suggest) -> dict[str, Value]:
    """One configuration; a conditional setting is drawn only where its condition holds."""
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if all(values.get(other) == wanted for other, wanted in parameter.when.items()):
            values[name] = parameter.suggest(name, trial)
    return values
