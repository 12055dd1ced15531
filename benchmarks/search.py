"""Search: what a front costs, by replay of recorded trainings, against what a user would run instead.

`benchmarks/recorded` has real trainings, epoch by epoch; `replay` says how searches run on them. The others
are Optuna's samplers as they come, of whose trainings the last state counts, and Ray's successive halving
on the error beside them. `ours` is a study at its defaults, and then with one part less each time.
Costs are in whole trainings of mean cost. The best hypervolume is that of the front over everything that
was recorded.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import optuna

from benchmarks import recording, replay, searches
from benchmarks.replay import Reached, Table
from benchmarks.rounds import Figure
from gnap_search import spec
from gnap_search.front import Front

WORKERS, SEEDS, BUDGET = 4, 20, 24
COSTS = (1, 2, 4, 8, 16, 24)  # trainings at which hypervolumes are compared
SHARE = 0.95  # of the best hypervolume, which is to be reached
FEW = 5  # seeds, below which an interval says nothing
MANY = 10_000  # trials that a search may ask for: its budget is its cost
Make = Callable[[spec.Study, Path], replay.Search]
Runs = dict[str, list[list[Reached]]]  # search -> what each seed reached


def figures(*, small: bool) -> list[Figure]:
    """For each recorded data set: hypervolumes at equal cost, and costs of equal hypervolume."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seeds, budget = (2, 2) if small else (SEEDS, BUDGET)
    told: list[Figure] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in recording.names():
            table = Table(name)
            found = {title: _runs(table, make, seeds, budget) for title, make in _searches(table).items()}
            told += _told(table, found, [cost for cost in COSTS if cost <= budget])
    return told


def _searches(table: Table) -> dict[str, Make]:
    epochs = table.study.epochs
    return {
        "random, last states": _stock(optuna.samplers.RandomSampler),
        "TPE, last states": _stock(optuna.samplers.TPESampler),
        "NSGA-II, last states": _stock(optuna.samplers.NSGAIISampler),
        "TPE, Ray's ASHA on the error": _stock(optuna.samplers.TPESampler, (epochs // 9, epochs // 3)),
        "ours": searches.Ours,
        "ours, nothing stopped": _with(scheduler="none"),
        "ours, no cheap ends told": lambda study, place: searches.Ours(_without_hints(study), place),
    }


def _stock(sampler: Callable[..., optuna.samplers.BaseSampler], rungs: Sequence[int] = ()) -> Make:
    return lambda study, _: searches.Stock(study, sampler(seed=study.seed), rungs)


def _with(**changes: str) -> Make:
    return lambda study, place: searches.Ours(study.model_copy(update=changes), place)


def _without_hints(study: spec.Study) -> spec.Study:
    told = {name: one.model_copy(update={"cheap": None}) for name, one in study.parameters.items()}
    return study.model_copy(update={"parameters": told})


def _runs(table: Table, make: Make, seeds: int, budget: float) -> list[list[Reached]]:
    with tempfile.TemporaryDirectory(prefix="search-") as place:
        return [
            replay.replay(
                table,
                make(table.study.model_copy(update={"seed": seed, "trials": MANY}), Path(place)),
                WORKERS,
                budget * table.mean_cost,
            )
            for seed in range(seeds)
        ]


def _told(table: Table, found: Runs, costs: Sequence[int]) -> list[Figure]:
    name = table.study.dataset
    at = {
        title: [replay.at(run, [cost * table.mean_cost for cost in costs]) for run in runs]
        for title, runs in found.items()
    }
    told = [
        Figure(f"{name}: hypervolume after {cost}: {title}", "", [run[index] for run in values])
        for index, cost in enumerate(costs)
        for title, values in at.items()
    ]
    goal = SHARE * _best(table)
    spent = {title: [_cost(table, run, goal, costs[-1]) for run in runs] for title, runs in found.items()}
    told += [
        Figure(f"{name}: cost of {SHARE:.0%} of the best hypervolume: {title}", "trainings", values)
        for title, values in spent.items()
    ]
    leads = _leads(name, at, costs) if len(at["ours"]) >= FEW else []
    return [*told, _ratio(name, spent), *leads]


def _cost(table: Table, run: Sequence[Reached], goal: float, budget: float) -> float:
    """In trainings; the whole budget where the goal was not reached, so that ratios are not exaggerated."""
    return min(replay.cost_to(run, goal) / table.mean_cost, budget)


def _ratio(name: str, spent: Mapping[str, Sequence[float]]) -> Figure:
    """Medians over the seeds: a single search may be lucky."""
    best = min(statistics.median(values) for title, values in spent.items() if not title.startswith("ours"))
    title = f"{name}: that cost, best of the others / ours"
    return Figure(title, "x", [best / statistics.median(spent["ours"])]).asked(at_least=4)


def _leads(name: str, at: Mapping[str, list[list[float]]], costs: Sequence[int]) -> list[Figure]:
    """At each cost, the lower end of the 95 % interval of ours minus the best of the others, seed by seed."""
    told = []
    for index, cost in enumerate(costs):
        others = {title: [run[index] for run in runs] for title, runs in at.items() if title[:4] != "ours"}
        best = max(others.values(), key=statistics.fmean)
        gaps = [run[index] - other for run, other in zip(at["ours"], best, strict=True)]
        low = statistics.fmean(gaps) - 2.1 * statistics.stdev(gaps) / math.sqrt(len(gaps))
        title = f"{name}: hypervolume after {cost}, ours - best of the others, least of the 95 % interval"
        told.append(Figure(title, "", [low]).asked(at_least=0))
    return told


def _best(table: Table) -> float:
    """The held-out hypervolume of the front over everything that was recorded."""
    points = (
        replay.point(number, recorded, epoch)
        for number, recorded in enumerate(table.trainings)
        for epoch in range(recorded.epochs)
    )
    chosen = Front(points).points
    tests = [table.trainings[one.trial].test[one.epoch - 1] for one in chosen]
    return replay.held_out(chosen, tests)
