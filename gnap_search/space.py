"""SearchSpace: ranges, choices and fixed values of settings, some of them conditional, and the draws from it.

In TOML, under `[parameters]`:

    pruning_strength = { low = 1e-6, high = 1e-3, log = true }   # a range of numbers
    saturation_patience = { low = 2, high = 8 }                   # whole numbers: both ends are whole
    growth_trigger = ["saturation", "periodic"]                   # choices
    growth_period = { low = 2, high = 9, when = { growth_trigger = "periodic" } }
    learning_rate = 3e-3                                          # fixed
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gnap_search.settings import Value


class Suggest(Protocol):
    """What a draw needs of a trial: Optuna's own define-by-run calls."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int: ...
    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


class Parameter(BaseModel):
    """One setting of a search space: a range (`low`, `high`), choices, or one fixed value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    value: Value | None = None
    when: dict[str, Value] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Parameter:
        if (self.low is None) != (self.high is None):
            raise ValueError("a range needs both low and high")
        forms = (self.low is not None) + bool(self.choices) + (self.value is not None)
        if forms != 1:
            raise ValueError("give either low and high, or choices, or one value")
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


def _expand(written: Any) -> Any:
    """A bare value means fixed, a bare list means choices."""
    if isinstance(written, list | tuple):
        return {"choices": tuple(written)}
    return written if isinstance(written, dict | Parameter) else {"value": written}


Parameters = dict[str, Annotated[Parameter, BeforeValidator(_expand)]]


def draw(parameters: Parameters, trial: Suggest) -> dict[str, Value]:
    """One configuration; a conditional setting is drawn only where its condition holds."""
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if all(values.get(other) == wanted for other, wanted in parameter.when.items()):
            values[name] = parameter.suggest(name, trial)
    return values
