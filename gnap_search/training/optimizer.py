"""Optimizer: torch's AdamW and SGD without what torch wraps around its fused steps.

Those wrappers import torch's compiler, only to keep it out of the step: a second of every process that
trains. Groups and results are those of `torch.optim.AdamW` and `torch.optim.SGD` with `fused=True`, bit for
bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.9


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
            self._step(group)

    def _step(self, group: dict[str, Any]) -> None:
        parameters: list[Tensor] = []
        gradients: list[Tensor] = []
        averages: list[Tensor] = []
        squares: list[Tensor] = []
        counts: list[Tensor] = []
        self._init_group(group, parameters, gradients, averages, squares, [], counts)  # type: ignore[no-untyped-call] # torch's
        if not parameters:
            return
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


class SGD(AdamW):
    """SGD with Nesterov momentum (Sutskever et al., 2013) for the groups that are `scheduled`.

    The others, a method's own at their constant rates, take AdamW's steps.
    """

    def _step(self, group: dict[str, Any]) -> None:
        if not group["scheduled"]:
            super()._step(group)
            return
        parameters = [one for one in group["params"] if one.grad is not None]
        if not parameters:
            return
        torch._fused_sgd_(
            parameters,
            [one.grad for one in parameters],
            [self._momentum(one) for one in parameters],
            weight_decay=group["weight_decay"],
            momentum=MOMENTUM,
            lr=group["lr"],
            dampening=0.0,
            nesterov=True,
            maximize=False,
            is_first_step=False,  # with a momentum of zeros it is the same
        )

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum_buffer"]
        return momentum


KINDS = {"adamw": AdamW, "sgd": SGD}
