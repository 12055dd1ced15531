"""The lean AdamW takes torch's own steps."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from gnap_search.training.optimizer import AdamW


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
