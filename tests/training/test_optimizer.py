"""The lean AdamW takes torch's own steps."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from gnap_search.training.optimizer import MOMENTUM, SGD, AdamW


def test_its_steps_are_torchs() -> None:
    torch.manual_seed(0)
    start = torch.randn(5, 4), torch.randn(5)
    trained = []
    for kind in (
        lambda groups: AdamW(groups, capturable=False),
        lambda groups: torch.optim.AdamW(groups, fused=True),
    ):
        weight, bias, idle = (nn.Parameter(value.clone()) for value in (*start, torch.ones(2)))
        optimizer = kind(
            [{"params": [weight, idle], "lr": 0.1, "weight_decay": 0.3}, {"params": [bias], "lr": 0.01}]
        )
        for _ in range(3):
            (weight.square().sum() * bias.sum()).backward()
            optimizer.step()
            optimizer.zero_grad()
        assert weight.grad is None
        trained.append(
            (weight, bias, idle, optimizer.state[weight]["exp_avg_sq"], optimizer.state[bias]["step"])
        )
    for mine, theirs in zip(*trained, strict=True):
        assert torch.equal(mine, theirs)


def test_sgd_takes_torchs_steps_and_leaves_a_methods_own_to_adamw() -> None:
    torch.manual_seed(0)
    weight, other, score = (nn.Parameter(torch.randn(5, 4)) for _ in range(3))
    theirs = [nn.Parameter(one.detach().clone()) for one in (weight, other, score)]
    mine = SGD(
        [
            {"params": [weight, other], "lr": 0.1, "weight_decay": 0.3, "scheduled": True},
            {"params": [score], "lr": 0.01, "weight_decay": 0.0, "scheduled": False},
        ],
        capturable=False,
    )
    sgd = torch.optim.SGD(theirs[:2], lr=0.1, momentum=MOMENTUM, nesterov=True, weight_decay=0.3, fused=True)
    adamw = torch.optim.AdamW(theirs[2:], lr=0.01, weight_decay=0.0, fused=True)
    for _ in range(3):
        for one, two, three in ((weight, other, score), theirs):
            (one.square().sum() + (one * two * three).sum()).backward()
        for optimizer in (mine, sgd, adamw):
            optimizer.step()
            optimizer.zero_grad()
    for one, its in zip((weight, other, score), theirs, strict=True):
        torch.testing.assert_close(one, its, rtol=1e-6, atol=1e-6)


def test_training_does_not_import_the_compiler() -> None:
    script = """
import sys, torch
from gnap_search.training.optimizer import AdamW
weight = torch.nn.Parameter(torch.ones(3))
optimizer = AdamW([{"params": [weight]}], capturable=False)
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
