"""The contracts: what a method, a network, a dataset, a task and an export format must offer.

Each is one file in the folder of its kind; `gnap_search.catalog` finds it by name. CONTRIBUTING.md shows how
each is added, and the contract suites under `tests/contracts` visit every file of the folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.structure import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gnap_search.structure.cost import Cost
    from gnap_search.structure.edits import Edit
    from gnap_search.structure.model import Blueprint, Classifier


SplitName = Literal["train", "validation", "test", "all"]


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images as uint8, N x C x H x W, and their labels as int64, N; equal to nothing but itself."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def joined(splits: Sequence[Split]) -> Split:
    """The images of all of them, in order."""
    images, labels = zip(*((split.images, split.labels) for split in splits), strict=True)
    return Split(np.concatenate(images), np.concatenate(labels))


def digest(splits: Iterable[Split]) -> str:
    """SHA-256 over the shapes, pixels and labels of the splits, in order."""
    total = hashlib.sha256()
    for split in splits:
        total.update(repr(split.images.shape).encode())
        total.update(np.ascontiguousarray(split.images).data)
        total.update(split.labels.astype("<i8").tobytes())
    return total.hexdigest()


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set in memory with its three fixed splits.

    The arrays are plain numpy, so that Ray's object store shares them between the trials of a host without a
    copy. `augmentation` names the batch transforms that suit the data (see `gnap_search.training.augment`),
    `digest` identifies pixels, labels and splits. `note` tells users what was read of their own files; it is
    empty for what is known. `cut` names the splits that did not come with the data, and were cut from the
    images for training.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    augmentation: tuple[str, ...]
    digest: str
    note: str = ""
    cut: tuple[str, ...] = ()

    def part(self, name: SplitName) -> Split:
        """The split of that name, or `all` of the images."""
        if name != "all":
            return {"train": self.train, "validation": self.validation, "test": self.test}[name]
        return joined((self.train, self.validation, self.test))

    @property
    def held_out(self) -> dict[str, str]:
        """Digests of the splits that nothing is trained on, by which these are known again."""
        return {"validation": digest([self.validation]), "test": digest([self.test])}

    @property
    def shape(self) -> Shape:
        """Channels, height and width of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


class DatasetModule(Protocol):
    """A file of `gnap_search/datasets`; its docstring's first line is what `gnap-search list` prints."""

    def load(self, root: Path, *, download: bool) -> Data:
        """Read the data set under `root`, fetching it first where that is wanted and possible.

        Raises:
            UserError: it is not there, or damaged, or cannot be downloaded.
        """
        ...


class NetworkModule(Protocol):
    """A file of `gnap_search/networks`: an architecture as a function of its widths.

    A group is a set of channels that must have one width; `seed_widths` names the groups. `OPTIONAL`, where
    there is one, is a tuple of the blocks that may be left out, and each of them a tuple of the groups within
    it, in the order in which an image passes them. With all of its groups at width 0 a block is an identity.
    All that a channel carries passes its depth-wise filter, where it has one: a filter of zeros ends the
    channel.
    """

    def seed_widths(self, shape: Shape, scale: float) -> dict[str, int]:
        """The starting widths, about proportional to `scale` (1 is the architecture's own idea of small)."""
        ...

    def build(self, widths: Mapping[str, int], shape: Shape, classes: int) -> nn.Module:
        """A freshly initialised network: float N x C x H x W, normalised -> logits N x classes."""
        ...


class Task(Protocol):
    """What is learnt: the loss and the score (higher is better) of outputs against labels."""

    def loss(self, outputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """A scalar to minimise; in training a share `smoothing` of each label may count for all classes."""
        ...

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The summed score over the batch, a scalar; divided by the number of images it lies in [0, 1]."""
        ...


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a trial stands at the start of an epoch: epochs done, epochs in all, epochs before the finish.

    The finish is the last part of a trial: nothing grows in it and the learning rate falls to zero.
    """

    done: int
    total: int
    finish: int

    @property
    def finishing(self) -> bool:
        """Whether the coming epoch belongs to the finish."""
        return self.done >= self.finish

    @property
    def finished_share(self) -> float:
        """How much of the finish is done, from 0 to 1."""
        return max(0.0, self.done - self.finish) / max(1, self.total - self.finish)


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """Parameters of the model that a method trains in its own way, by the ends of their names.

    The learning rate is constant; there is no weight decay.
    """

    suffix: str
    learning_rate: float


class Method(Protocol):
    """How a network grows and prunes itself: it decides, and `gnap_search.structure.surgery` acts.

    A method is a frozen dataclass of `setting`s with these functions, kept in a module as `METHOD`. Whatever
    must survive an epoch lives in the model (as parameters or buffers) or follows from the history. Torch's
    own random numbers may be drawn in every hook: they follow from the trial's seed and its epoch.
    """

    sparsity: ClassVar[str]
    """`unstructured` where single weights become zero, `structured` where only whole channels go."""

    def attach(self, model: nn.Module, blueprint: Blueprint) -> None:
        """Add what is trained beside the weights, as parametrizations; called on every rebuilt model.

        Which groups of channels a weight leads from and to is what `structure.slots.ends` says of the
        blueprint. A parametrization that computes by chance does so in training mode alone.
        """
        ...

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """What must not be trained like the weights."""
        ...

    def prepare(self, model: nn.Module, progress: Progress) -> str:
        """Before every epoch: freeze or thaw, raise a temperature.

        Within a phase only tensors change: a GPU replays a step that it has recorded, with the Python numbers
        of that time.

        Returns:
            The phase that the epoch belongs to: `warm-up`, `growing`, `pruning` or `finishing`. In the last
            one every weight that is zero stays so and no other becomes zero; nothing else follows it.
        """
        ...

    def penalty(self, model: nn.Module) -> Tensor | None:
        """What is added to the loss of every batch; None where there is nothing to add."""
        ...

    def project(self, model: nn.Module, rate: float | Tensor) -> None:
        """After every optimiser step: clamp, soft-threshold; `rate` is the learning rate of that step.

        On a GPU it is a tensor, because a replayed step reads it from memory.
        """
        ...

    def prune(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """After every epoch, before the network is measured: what to cut; dead channels go anyway.

        A `Settle` ends the method's part; from then on only `prepare` is called.
        """
        ...

    def grow(self, model: nn.Module, blueprint: Blueprint, history: Sequence[Point]) -> list[Edit]:
        """After the network was measured, while growth is open: what to widen; empty for not now."""
        ...


Predict = Callable[[np.ndarray], np.ndarray]
"""Float32 images N x C x H x W in [0, 1] -> float32 logits N x classes."""


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """An exported file as its own runtime sees it: what it computes, what it costs, and what it keeps.

    `memory` is the bytes that one image takes while it is classified: the values that are then alive, and
    the weights where the runtime holds them in memory, but not the runtime itself. `shape` is what its
    images are, and `notes` what was written into it, empty where a file keeps none.
    """

    predict: Predict
    cost: Cost
    memory: int
    shape: Shape
    notes: Mapping[str, Any]


class ExporterModule(Protocol):
    """A file of `gnap_search/export`: one file format.

    `FILENAME` is what a file of the format is called, `BESIDE` the other files without which it is of no use.
    `ROUNDING` is 0 where a file gives the network's answers, to the precision of float32; it is refused where
    it does not. A format that rounds the network's numbers says here how far a logit may be off, as a share
    of the greatest one, and what that costs in accuracy is measured and told. `LOADING` is Markdown for the
    model card: how the file is used without gnap-search where that is possible; `{channels}`, `{height}` and
    `{width}` stand for those of the images.
    """

    FILENAME: str
    BESIDE: tuple[str, ...]
    ROUNDING: float
    LOADING: str

    def save(self, model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
        """Write the model to one file; `notes` is JSON that the format keeps where it can.

        `images` are some of the training split, as float32 N x C x H x W in [0, 1], for a format that has to
        know what numbers a network meets.
        """
        ...

    def load(self, path: Path, shape: Shape | None) -> LoadedModel:
        """Read a file back for images of `shape`, through the format's own runtime on the CPU.

        None are the images that the file was made for.

        Raises:
            UserError: the file is not of this format, takes other images, or does not say which; or the
                runtime is not installed.
        """
        ...


class Listener(Protocol):
    """Somebody who watches a study: the live view, plain lines, or nobody."""

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        """Trials settled before, trials asked in all, trials that run at once, the front so far."""
        ...

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        """A trial begins, or goes on."""
        ...

    def epoch_ended(self, point: Point, front: Front) -> None:
        """A trial has one more point; `front` has taken it in already."""
        ...

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        """A trial has finished, or failed for that reason; `again` where another one repeats it."""
        ...

    def message(self, text: str) -> None:
        """Something that the user should know."""
        ...
