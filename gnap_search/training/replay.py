"""Replay: a training step on a GPU, recorded once as a CUDA graph and replayed from then on.

A step of a small network is a few hundred kernels that take a few microseconds each, and to launch one takes
longer than that; a graph launches all of them at once. What is computed stays the same. A recording fixes
addresses and Python numbers, so it holds for one network and one phase of its method: a number that a method
changes within a phase has to be a buffer of the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], Tensor]
"""Images and labels of a batch -> their mean loss, after an optimiser step."""

WARM = 3  # steps before a recording, as torch's manual has it: libraries and moments come into being in them


class Replay:
    """A step that is recorded for every size of a batch; the steps before a recording are steps like all."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._aside = torch.cuda.Stream()
        self._taken: Counter[int] = Counter()
        self._recordings: dict[int, _Recording] = {}

    def __call__(self, batch: Tensor, labels: Tensor) -> Tensor:
        """The mean loss; the tensor is overwritten by the next call."""
        size = len(labels)
        if size not in self._recordings:
            if self._taken[size] < WARM:
                self._taken[size] += 1
                return self._warm(batch, labels)
            self._recordings[size] = _Recording(self._step, batch, labels)
        return self._recordings[size](batch, labels)

    def _warm(self, batch: Tensor, labels: Tensor) -> Tensor:
        """On a stream of its own, as a recording runs, so that gradients are not bound to the usual one."""
        self._aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._aside):
            loss = self._step(batch, labels)
        torch.cuda.current_stream().wait_stream(self._aside)
        return loss


class _Recording:
    def __init__(self, step: Step, batch: Tensor, labels: Tensor) -> None:
        self._batch, self._labels = torch.empty_like(batch), torch.empty_like(labels)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = step(self._batch, self._labels)

    def __call__(self, batch: Tensor, labels: Tensor) -> Tensor:
        self._batch.copy_(batch)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._loss
