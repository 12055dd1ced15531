"""Classification: cross-entropy as the loss, accuracy as the score."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def loss(outputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats of logits N x classes against labels N.

    A share `smoothing` of each label is spread over all classes evenly (Szegedy et al., 2016, section 7).
    """
    return functional.cross_entropy(outputs, labels, label_smoothing=smoothing)


def score(outputs: Tensor, labels: Tensor) -> Tensor:
    """How many images have their label at the highest logit."""
    return (outputs.argmax(1) == labels).sum()
