"""Evaluation: a plain classifier on one split, in large batches, without gradients, in full precision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from gnap_search.contracts import Split, Task
from gnap_search.structure import model as models
from gnap_search.tasks import classification
from gnap_search.training import images as pictures

BATCH = {"cpu": 250, "cuda": 5000}  # images: what a processor's cache holds, and what fills a graphics card


@torch.no_grad()
def measure(model: nn.Module, images: Tensor, labels: Tensor, task: Task) -> tuple[float, float]:
    """Mean score and mean loss of a model that takes images in [0, 1]; `images` are uint8, N x C x H x W."""
    was_training = model.training
    model.eval()
    size = BATCH[images.device.type]
    sums = torch.zeros(2, device=images.device)  # of scores and of losses
    for batch, answers in zip(images.split(size), labels.split(size), strict=True):
        outputs = model(pictures.as_float(batch))
        sums += torch.stack([task.score(outputs, answers), task.loss(outputs, answers) * len(answers)])
    model.train(was_training)
    score, loss = sums.tolist()
    return score / len(labels), loss / len(labels)


def accuracy(model: nn.Module, split: Split, task: Task, device: str = "cpu") -> float:
    """The model's mean score on a split's images, from 0 to 1: the share that it gets right, say."""
    images, labels = pictures.to_device(split, device)
    score, _ = measure(model.to(device), images, labels, task)
    return score


def accuracy_of(network: Path, split: Split) -> float:
    """The share of a split's images that the network in a file gets right, on the processor."""
    classifier, _ = models.load(network)
    return accuracy(classifier, split, classification)
