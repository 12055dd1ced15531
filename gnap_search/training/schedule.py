"""Schedule: a trial's epochs, batches and learning rate, as pure functions of its position and seed."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from gnap_search.contracts import Progress
from gnap_search.training.plan import Plan

LEAST_BATCHES = 16  # an epoch of fewer steps says little about saturation


def progress(done: int, total: int, finishing_share: float) -> Progress:
    """Where a trial stands when `done` of its epochs are over.

    Growth is not allowed in the epoch right before the finish, so a single epoch before it could never grow;
    in trials of more than two epochs there are then two.
    """
    before = total - max(1, round(total * finishing_share))
    return Progress(done, total, 2 if before == 1 and total > 2 else before)


def batch_size(wanted: int, images: int) -> int:
    """The batch size; 0 asks for 128, or less where that would leave an epoch of few steps."""
    if wanted:
        return min(wanted, images)
    power = int(math.log2(max(images / LEAST_BATCHES, 16)))
    return min(128, 1 << power)


def in_batches_as_on(images: int, plan: Plan) -> Plan:
    """The plan with its batch size said, as it is on so many images; on others it would be another."""
    size = batch_size(int(plan.settings.get("batch_size", 0)), images)
    return dataclasses.replace(plan, settings={**plan.settings, "batch_size": size})


def generator(seed: int, epoch: int, purpose: str, device: str = "cpu") -> torch.Generator:
    """The random numbers of one epoch for one purpose; nothing else is needed to go on from that epoch.

    They differ between a processor and a GPU, which draws its own rather than wait for a processor's.
    """
    mixed = np.random.SeedSequence([seed, epoch, *purpose.encode()]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed >> 1))


@contextlib.contextmanager
def random_state(seed: int, epoch: int, device: str = "cpu") -> Iterator[None]:
    """Torch's own random numbers, which methods may draw, as one epoch of a seed has them."""
    on_gpu = device.startswith("cuda")
    with torch.random.fork_rng(devices=[torch.device(device)] if on_gpu else []):
        start = generator(seed, epoch, "method").initial_seed()
        torch.default_generator.manual_seed(start)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(start)
        yield


def batches(images: int, size: int, order: torch.Generator, device: str = "cpu") -> Sequence[Tensor]:
    """Shuffled indices on `device`, in batches of nearly equal size, so that none is too small for a norm.

    None is of a single image, though with a `size` of 2 one may then be of 3.
    """
    shuffled = torch.randperm(images, generator=order).to(device)
    return shuffled.tensor_split(max(1, min(math.ceil(images / size), images // 2)))


def learning_rate_share(position: float, at: Progress) -> float:
    """The share of the full learning rate at `position` epochs: 1, then a straight fall to 0."""
    if position < at.finish:
        return 1.0
    return max(0.0, (at.total - position) / (at.total - at.finish))
