"""Growth: what a trial spends besides training, and how fast a network trains that has grown.

Whole trials run as a study's workers run them, with their files. Each second belongs to one part: the passes
over the training images; evaluation on the validation split; the making of files (networks, checkpoint,
history); the start (the trial's first network); and the rest, which is growth, the removal of dead
channels and the counting of what is left. One trial is on digits as the bundled study has it, the other has
as many images as MNIST (noise, so that nothing is downloaded) and grows after its first epoch. A process's
first trial is not measured: workers train many.

Then a network grows three times, and after each growth it trains against a new one of the same widths, method
and settings, pass by pass in turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.rounds import ROUNDS, Figure, measured
from gnap_search import datasets
from gnap_search.contracts import Data, Split
from gnap_search.networks import plain_cnn
from gnap_search.settings import Value
from gnap_search.structure import Shape
from gnap_search.threads import one_thread
from gnap_search.training import evaluate
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer
from gnap_search.training.trial import Trial

LIKE_MNIST = (54_000, 6_000)  # training and validation images
STUDY = {"pruning_strength": 3e-4, "augmented_share": 0.25}  # of digits: the middle of its search space
PLAN = Plan(0, "digits", "gnap", "plain-cnn", "classification", 90, 1, None, STUDY)
EAGER: dict[str, Value] = {"growth_trigger": "periodic", "growth_period": 1}
GROWTHS, PASSES = 3, 15  # passes of each network after each growth
PARTS = ("training", "evaluation", "start", "growth and compaction", "files")
Parts = defaultdict[str, float]  # seconds by part


def figures(*, small: bool) -> list[Figure]:
    """Shares of a trial's time, then images a second after growth over those of a fresh network."""
    digits = datasets.load("digits")
    like_mnist = random_images((1, 28, 28), *((400, 100) if small else LIKE_MNIST))
    trials = {
        "digits": (dataclasses.replace(PLAN, epochs=3 if small else PLAN.epochs), digits),
        "like MNIST": (dataclasses.replace(PLAN, epochs=2 if small else 4, settings=EAGER), like_mnist),
    }
    with one_thread():
        _parts(dataclasses.replace(PLAN, epochs=1), digits)
        rounds = 2 if small else ROUNDS
        shares = [one for name, told in trials.items() for one in _shares(name, *told, rounds)]
        images = random_images((1, 28, 28), 100 if small else 3_000, 100)
        return [*shares, *_after_growth(images, 2 if small else PASSES)]


def random_images(
    shape: Shape, training: int, validation: int, augmentation: tuple[str, ...] = ("affine",)
) -> Data:
    """A data set of noise in ten classes."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = generator.integers(0, 256, (count, *shape), np.uint8)
        return Split(images, generator.integers(0, 10, count))

    classes = tuple("0123456789")
    parts = (split(training), split(validation), split(1))
    return Data("noise", classes, *parts, augmentation=augmentation, digest="")


def _shares(name: str, plan: Plan, data: Data, rounds: int) -> list[Figure]:
    """The share of each part in a whole trial."""
    trials = [_parts(plan, data) for _ in range(rounds)]

    def share(*parts: str) -> list[float]:
        return [100 * sum(trial[part] for part in parts) / sum(trial.values()) for trial in trials]

    told = [Figure(f"{name}: {part}", "%", share(part)) for part in PARTS]
    others = Figure(f"{name}: growth, compaction and files", "%", share(*PARTS[-2:]))
    return [
        Figure(f"{name}: a trial", "s", [sum(trial.values()) for trial in trials]),
        *told,
        others.asked(at_most=2),
    ]


def _parts(plan: Plan, data: Data) -> Parts:
    """One whole trial; its parts add up to its time."""
    spent: Parts = defaultdict(float)
    with (
        tempfile.TemporaryDirectory() as folder,
        _timed(Trainer, "_train", "training", spent),
        _timed(evaluate, "measure", "evaluation", spent),
        _timed(Trainer, "epoch", "epoch", spent),
    ):
        begun = time.perf_counter()
        trial = Trial(plan, data, Path(folder))
        spent["start"] = time.perf_counter() - begun
        while not trial.finished:
            trial.advance()
        total = time.perf_counter() - begun
    epochs = spent.pop("epoch")
    spent["growth and compaction"] = epochs - spent["training"] - spent["evaluation"]
    spent["files"] = total - spent["start"] - epochs
    return spent


@contextlib.contextmanager
def _timed(owner: Any, name: str, part: str, spent: Parts) -> Iterator[None]:
    """While this lasts, the time in one function adds to its part."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[part] += time.perf_counter() - start

    with mock.patch.object(owner, name, timed):
        yield


def _after_growth(data: Data, passes: int) -> list[Figure]:
    """After each growth: images a second over those of a fresh network; one figure a growth."""
    grown = Trainer(_steady("periodic", passes), data)
    told: list[Figure] = []
    for _ in range(GROWTHS):
        while not grown.epoch().grown:
            pass
        with mock.patch.object(plain_cnn, "seed_widths", lambda *_: dict(grown.widths)):
            fresh = Trainer(_steady("never", passes), data)
        told.append(_over(grown, fresh, len(data.train), passes))
    return told


def _steady(trigger: str, passes: int) -> Plan:
    """Growth when the passes after the last one have been measured; gates that stay as they are."""
    settings: dict[str, Value] = {
        "growth_trigger": trigger,
        "growth_period": passes + 2,
        "gate_learning_rate": 0.0,
    }
    return dataclasses.replace(PLAN, epochs=10 * GROWTHS * (passes + 2), settings=settings)


def _over(grown: Trainer, fresh: Trainer, images: int, passes: int) -> Figure:
    trainers = {"grown": grown, "fresh": fresh}
    calls = {name: functools.partial(_speed, trainer, images) for name, trainer in trainers.items()}
    for call in calls.values():
        call()  # a first pass is slower, whatever the network
    speeds = measured(calls, "images/s", passes)
    name = f"images/s after growth to {max(grown.widths.values())} channels / fresh"
    return speeds["grown"].over(speeds["fresh"], name).asked(at_least=0.97)


def _speed(trainer: Trainer, images: int) -> float:
    """Images a second of one pass over so many training images."""
    spent: Parts = defaultdict(float)
    with _timed(Trainer, "_train", "training", spent):
        trainer.epoch()
    return images / spent["training"]
