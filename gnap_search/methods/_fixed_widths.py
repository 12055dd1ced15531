"""Fixed widths: the hooks of a method that edits no width and adds nothing to the loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gnap_search.contracts import ParameterGroup, Progress
from gnap_search.results import Point
from gnap_search.structure.edits import Edit
from gnap_search.structure.model import Blueprint


class FixedWidths:
    """A network keeps the widths that it is built with, but for channels that die."""

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """Nothing is trained beside the weights."""
        del model, blueprint

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """None: there are only weights, biases and norms."""
        return ()

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Nothing changes but the values of the weights, so every epoch is like one of a finish."""
        del model, progress
        return "finishing"

    def penalty(self, model: nn.Module) -> Tensor | None:
        """None: the loss is the task's."""
        del model
        return None

    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """Weights may have any value."""
        del model, rate

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Nothing: channels that die are removed for every method."""
        del model, blueprint, history
        return []

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """Nothing, ever."""
        del model, blueprint, history
        return []
