"""Recording: real trainings, epoch by epoch, on which a search can be tried out again and again in seconds.

    python -m benchmarks.recording NAME [--trainings N] [--workers N] [--data-root DIR]

`benchmarks/recorded/NAME.toml` says which: their settings lie evenly in its search space, and each has a seed
of its own. What is recorded of an epoch is what a search learns of it, and the test accuracy, which no search
is shown. Trainings go to `NAME.jsonl` as they finish, and the same command goes on with those that are
missing; when all are there, the file is packed into `NAME.jsonl.gz`.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gzip
import json
import math
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "recorded"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One training: its settings, and a value an epoch of everything else.

    `macs` and `parameters` are those of the network at the epoch's end, accuracies lie in [0, 1], and `grown`
    says that the network widened right after that epoch. A test accuracy is NaN where an earlier epoch of the
    same training was no worse in both size and accuracy: no front takes such a point.
    """

    number: int
    settings: dict[str, Any]
    parameters: list[int]
    macs: list[int]
    validation: list[float]
    test: list[float]
    grown: list[int]
    seconds: float

    @property
    def epochs(self) -> int:
        return len(self.validation)


def names() -> list[str]:
    """What has been recorded."""
    return sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.jsonl.gz"))


def read(name: str) -> tuple[dict[str, Any], list[Recorded]]:
    """What was recorded on, and the trainings by number."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt") as file:
        facts, *lines = map(json.loads, file)
    return facts, sorted((Recorded(**line) for line in lines), key=lambda one: one.number)


def main() -> None:
    """Record what is missing, then pack it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("name", help="a file of benchmarks/recorded, without .toml")
    parser.add_argument("--trainings", type=int, default=256)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data-root", type=Path)
    asked = parser.parse_args()
    draft = FOLDER / f"{asked.name}.jsonl"
    present = [json.loads(line) for line in draft.read_text().splitlines()] if draft.exists() else []
    missing = sorted(set(range(asked.trainings)) - {one["number"] for one in present})
    settings = _settings(asked.name, asked.trainings)
    train = functools.partial(_training, asked.name, asked.data_root)
    with draft.open("a") as file, multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        for recorded in pool.imap_unordered(train, [(number, settings[number]) for number in missing]):
            file.write(json.dumps(dataclasses.asdict(recorded)) + "\n")
            file.flush()
            print(recorded.number, f"{recorded.seconds:.0f} s", flush=True)
    _pack(draft, asked.name)


def _settings(name: str, count: int) -> list[dict[str, Any]]:
    """The settings of so many trainings, by number: points of a scrambled Sobol sequence."""
    import optuna

    from gnap_search import space, spec

    parameters = spec.load(str(FOLDER / f"{name}.toml")).parameters
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.QMCSampler(seed=0, scramble=True, warn_asynchronous_seeding=False)
    drawn = optuna.create_study(sampler=sampler)

    def draws() -> Iterator[dict[str, Any]]:
        for _ in range(count):
            trial = drawn.ask()
            yield space.draw(parameters, trial)
            drawn.tell(trial, 0.0)  # the sequence begins when a first trial is over

    return list(draws())


def _training(name: str, data_root: Path | None, asked: tuple[int, dict[str, Any]]) -> Recorded:
    from gnap_search import spec
    from gnap_search.threads import one_thread
    from gnap_search.training.plan import Plan
    from gnap_search.training.trainer import Trainer

    number, settings = asked
    study = spec.load(str(FOLDER / f"{name}.toml"))
    data = _data(name, data_root)
    plan = Plan(trial=number, seed=number, settings=settings, **study.for_each_trial())
    with one_thread():
        trainer = Trainer(plan, data)
        test = list(_epochs(trainer, data.test))
    points = trainer.points
    return Recorded(
        number=number,
        settings=settings,
        parameters=[point.parameters for point in points],
        macs=[point.macs for point in points],
        validation=[round(point.validation_accuracy, 5) for point in points],
        test=[round(accuracy, 5) for accuracy in test],
        grown=[int(point.grown) for point in points],
        seconds=round(sum(point.seconds for point in points), 2),
    )


def _epochs(trainer: Any, test: Any) -> Iterator[float]:
    """Train to the end; the test accuracy after each epoch that a front may be asked for."""
    from gnap_search.front import Front
    from gnap_search.tasks import classification
    from gnap_search.training import evaluate

    front = Front()
    while not trainer.finished:
        entered, _ = front.add(trainer.epoch())
        wanted = entered or trainer.finished
        yield evaluate.accuracy(trainer.classifier, test, classification) if wanted else math.nan


@functools.cache
def _data(name: str, data_root: Path | None) -> Any:
    """The data set, once a process; images of a known one are made smaller where that is asked.

    There are no more validation images than training images: a training's epochs are scored on them all.
    """
    from gnap_search import datasets, spec
    from gnap_search.contracts import Split

    study = spec.load(str(FOLDER / f"{name}.toml"))
    data = datasets.load(study.dataset, data_root, training_images=study.training_images)
    count = len(data.train)
    fewer = Split(data.validation.images[:count], data.validation.labels[:count])
    data = dataclasses.replace(data, validation=fewer)
    if study.image_size is None:
        return data
    splits = {part: getattr(data, part) for part in ("train", "validation", "test")}
    return dataclasses.replace(
        data, **{part: _smaller(one, study.image_size) for part, one in splits.items()}
    )


def _smaller(split: Any, side: int) -> Any:
    """The split with images of that side: means over squares of pixels, N x C x H x W."""
    count, channels, height, width = split.images.shape
    squares = split.images.reshape(count, channels, side, height // side, side, width // side)
    return dataclasses.replace(split, images=squares.mean((3, 5)).round().astype("uint8"))


def _pack(draft: Path, name: str) -> None:
    """Facts and trainings in one compressed file, the same bytes for the same trainings."""
    from gnap_search import environment

    lines = sorted(draft.read_text().splitlines(), key=lambda line: int(json.loads(line)["number"]))
    text = "\n".join([json.dumps(environment.record()), *lines]) + "\n"
    (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    draft.unlink()


if __name__ == "__main__":
    main()
