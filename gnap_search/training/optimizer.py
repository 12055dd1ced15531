"""Optimizer: torch's AdamW without what torch wraps around its fused step.

Those wrappers import torch's compiler, only to keep it out of the step: a second of every process that
trains. State, groups and results are those of `torch.optim.AdamW`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class AdamW(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter, 2019); always torch's fused step."""

    def __init__(self, groups: list[dict[str, Any]], *, capturable: bool) -> None:
        super().__init__(groups, fused=True, capturable=capturable)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's, without the wrapper that imports the compiler to keep it out."""
        wrapper = torch.optim.Optimizer.add_param_group
        add: Callable[..., None] = getattr(wrapper, "__wrapped__", wrapper)
        add(self, param_group)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # there is no use for a closure
        """One step with the gradients that are there."""
        del closure
        for group in self.param_groups:
            parameters: list[Tensor] = []
            gradients: list[Tensor] = []
            averages: list[Tensor] = []
            squares: list[Tensor] = []
            counts: list[Tensor] = []
            self._init_group(group, parameters, gradients, averages, squares, [], counts)  # type: ignore[no-untyped-call] # torch's
            if not parameters:
                continue
            torch._foreach_add_(counts, 1)
            torch._fused_adamw_(
                parameters,
                gradients,
                averages,
                squares,
                [],
                counts,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 (torch calls it so)
        """Forget all gradients."""
        assert set_to_none
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
