"""Classification: cross-entropy as the loss, accuracy as the score."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy in nats of logits N x classes against labels N."""
    return functional.cross_entropy(outputs, labels)


def score(outputs: Tensor, labels: Tensor) -> Tensor:
    """How many images have their label at the highest logit."""
    return (outputs.argmax(1) == labels).sum()
