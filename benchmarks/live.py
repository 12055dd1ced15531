"""Live: a search by `gnap-search pareto` beside one by a script on Ray Tune, for the same time.

Both search the same ranges (`live.toml`) with the same trainer, on all processors: in every repeat one after
the other, in the next one the other first, and with another seed. What each has found is the hypervolume of
its front by validation accuracy, with the test accuracies of its points; the script has the last states of
all of its trials. The time is what each is given as its budget; what its process takes in all is told beside.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import processes, replay
from benchmarks.rounds import Figure, measured
from gnap_search import datasets, spec
from gnap_search.contracts import Split
from gnap_search.front import Front
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.training import evaluate

STUDY = Path(__file__).with_name("live.toml")
REPEATS, SECONDS = 3, 240
SMALL: dict[str, Any] = {"dataset": "digits", "training_images": None, "trials": 2, "epochs": 1}


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search has come to; `seconds` are its process's, start and end included."""

    hypervolume: float
    points: int
    trainings: int
    seconds: float


FIELDS = {
    "hypervolume": ("held-out hypervolume", ""),
    "points": ("points of the front", ""),
    "trainings": ("trainings begun", ""),
    "seconds": ("time in all", "s"),
}


def figures(*, small: bool) -> list[Figure]:
    """What both searches have found after the same time, and the ratio."""
    study = spec.load(str(STUDY))
    if small:
        return _figures(study.model_copy(update=SMALL), SECONDS, 1)  # its trials are over before
    return _figures(study, SECONDS, REPEATS)


def _figures(study: spec.Study, seconds: int, repeats: int) -> list[Figure]:
    data = datasets.load(study.dataset, training_images=study.training_images)
    study = study.fitted(len(data.train))
    seen: dict[str, list[Found]] = {name: [] for name in SEARCHES}

    def search(name: str) -> float:
        seed = len(seen[name])
        found = _found(name, study.model_copy(update={"seed": seed}), seconds, data.test)
        seen[name].append(found)
        print(f"{name}, seed {seed}: {found}", file=sys.stderr, flush=True)
        return found.hypervolume

    hypervolumes = measured({name: functools.partial(search, name) for name in SEARCHES}, "", repeats)
    told = [
        Figure(f"{title}: {name}", unit, [float(getattr(one, field)) for one in found])
        for field, (title, unit) in FIELDS.items()
        for name, found in seen.items()
    ]
    ours, script = hypervolumes.values()
    ratio = ours.over(script, "held-out hypervolume, ours / the script")
    least = Figure("the same in the repeat where it was least", "x", [min(ratio.values)])
    return [*told, ratio, least.asked(at_least=1)]


def _found(name: str, study: spec.Study, seconds: int, test: Split) -> Found:
    """One search in a process of its own, and what its front is worth on the test images."""
    with tempfile.TemporaryDirectory(prefix="live-", dir=processes.SHORT) as folder:
        place = Path(folder)
        (place / "study.toml").write_text(study.to_toml())
        start = time.monotonic()
        states = SEARCHES[name](place, seconds)
        took = time.monotonic() - start
        networks = {point.id: network for point, network in states}
        chosen = Front(point for point, _ in states).points
        tests = [evaluate.accuracy_of(networks[point.id], test) for point in chosen]
    trainings = len({point.trial for point, _ in states})
    return Found(replay.held_out(chosen, tests), len(chosen), trainings, took)


States = list[tuple[Point, Path]]  # with the files of their networks


def _ours(place: Path, seconds: int) -> States:
    """The points of every epoch; the networks of all that are on the front are there."""
    asked = {"--from": place / "study.toml", "--study": "ours", "--runs": place, "--timeout": seconds}
    processes.output("gnap_search", "pareto", *(word for pair in asked.items() for word in pair))
    run = Run(place / "ours")
    return [(point, run.model(point)) for point in run.points()]


def _script(place: Path, seconds: int) -> States:
    """The last states of its trials."""
    states = processes.told("benchmarks.script", place / "study.toml", seconds, place)
    return [(Point(**one["point"]), Path(one["network"])) for one in states]


SEARCHES: dict[str, Callable[[Path, int], States]] = {"ours": _ours, "Ray Tune with OptunaSearch": _script}
