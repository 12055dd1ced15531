"""Made: studies of any number of trials, written by the project's own classes, with invented points."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from benchmarks.work import SEED, Work
from gnap_search.results import History, Point
from gnap_search.runs import Run
from gnap_search.search import drive
from gnap_search.search import study as studies
from gnap_search.search.ledger import Ask
from gnap_search.spec import Launch, Study

LARGEST = 100_000  # parameters of an invented network


def folder(place: Path, trials: int, epochs: int) -> Run:
    """The run of a finished study: plans, histories and answered trials, but no networks."""
    study = Work(trials, epochs=epochs).study.model_copy(update={"sampler": "random"})
    with studies.opened(study, place, Launch(), digest="none") as ledger:
        while ask := ledger.ask():
            _write(Run(place), study, ask)
            ledger.complete(ask.number, point(ask, study.epochs))
    return Run(place)


def point(ask: Ask, epoch: int) -> Point:
    """A point that follows from a trial's settings and the epoch: pruned less, it is larger and better."""
    chance = random.Random(hash((SEED, ask.number, epoch)))
    size = min(int(10 / float(ask.settings["pruning_strength"])), LARGEST) + chance.randrange(100)
    return Point(
        trial=ask.number,
        epoch=epoch,
        parameters=size,
        weights=size,
        macs=20 * size,
        live_macs=10 * size,
        validation_accuracy=1 - 30 / (size + 60) - 0.1 / (epoch + 1) - 0.01 * chance.random(),
        validation_loss=0.1,
        training_loss=0.1,
        learning_rate=3e-3,
        phase="finishing",
        widths={"first": 4, "second": 8},
        seconds=0.5,
    )


def _write(run: Run, study: Study, ask: Ask) -> None:
    place = run.trial_folder(ask.number)
    place.mkdir(parents=True)
    (place / "plan.json").write_text(drive.plan(study, ask).to_json())
    epochs = range(1, study.epochs + 1)
    History(place / "history.jsonl").rewrite(
        [dataclasses.replace(point(ask, epoch), phase="growing") for epoch in epochs]
    )
