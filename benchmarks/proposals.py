"""Proposals: what it costs to ask for one more trial, to take in a report, and to judge a trial.

`ours` is an ask of the ledger, which is on the disk when it returns; `bare` is the same sampler on the same
trials in Optuna's memory, as if nothing had to survive. Both go on from a study of that many trials. What is
judged are the trainings of `benchmarks/recorded`, again and again with a little more or less of each.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import optuna

from benchmarks import made
from benchmarks.replay import Table
from benchmarks.rounds import ROUNDS, Figure, measured, seconds
from benchmarks.simulated import Trainings
from gnap_search.front import Front
from gnap_search.report.quiet import Quiet
from gnap_search.runs import Run
from gnap_search.search import samplers, storage
from gnap_search.search.halving import ParetoHalving
from gnap_search.search.ledger import Ask, Ledger
from gnap_search.search.standing import Standing
from gnap_search.settings import Value
from gnap_search.space import draw
from gnap_search.spec import Sampler, Study

SIZES, GOAL_AT = (100, 500, 1000, 2000), 1000  # trials
MOST = {"gp": 100}  # sampler -> the most trials at which it is measured: beyond, it takes seconds
ASKS, REPORTS, JUDGED = 5, 200, 20  # in a round
# Sampler -> asks that are not timed: in them a driver that has just started learns from all trials, at one
# size of the front after the other, and asks the last of its first proposals.
BEFORE = {"tpe": 100}


def figures(*, small: bool) -> list[Figure]:
    """Milliseconds an ask, by sampler and size of the study, a report, and a decision."""
    sizes, rounds = ((20,), 2) if small else (SIZES, ROUNDS)
    told = []
    with warnings.catch_warnings(), _quietly(), tempfile.TemporaryDirectory(prefix="proposals-") as place:
        warnings.simplefilter("ignore")
        for size in sizes:
            run = made.folder(Path(place, str(size)), size, epochs=1)
            told += [*_asks(run, rounds), *_reports(run, rounds), *_decisions(size, rounds)]
    return told


def _asks(run: Run, rounds: int) -> list[Figure]:
    size = run.study.trials
    names: list[Sampler] = [name for name in get_args(Sampler) if size <= MOST.get(name, size)]
    variants = {}
    with contextlib.ExitStack() as resources:
        for name in names:
            study = run.study.model_copy(update={"sampler": name, "trials": 2 * size + BEFORE.get(name, 0)})
            held = resources.enter_context(_copied(run, name))
            title = f"{name}, an ask after {size} trials"
            ledger = Ledger(storage.study(held, run.name), held, study)
            standing = Standing(run, Quiet())
            ledger.attend(standing)
            variants[f"{title}: ours"] = _ours(ledger, standing, BEFORE.get(name, 0))
            variants[f"{title}: bare"] = _bare(optuna.load_study(study_name=run.name, storage=held), study)
        told = measured(variants, "ms", rounds)
    goal = f"tpe, an ask after {GOAL_AT} trials: ours"
    return [figure.asked(at_most=30) if title == goal else figure for title, figure in told.items()]


@contextlib.contextmanager
def _copied(run: Run, name: str) -> Iterator[optuna.storages.RDBStorage]:
    """A storage of its own with the run's trials."""
    place = run.folder / name
    place.mkdir()
    shutil.copyfile(run.folder / "study.db", place / "study.db")
    held = storage.connect(place, None)
    yield held
    held.remove_session()
    held.engine.dispose()


def _ours(ledger: Ledger, standing: Standing, before: int) -> Callable[[], float]:
    def ask() -> Ask:
        asked = ledger.ask()
        assert asked is not None  # the study wants more trials than there are
        return asked

    def answer(asked: Ask) -> None:
        point = made.point(asked, 1)
        standing.report(asked.number, [point], None)
        ledger.complete(asked.number, point)

    for _ in range(before):
        answer(ask())
    return _milliseconds(ask, answer)


def _bare(kept: optuna.Study, study: Study) -> Callable[[], float]:
    trials = optuna.create_study(
        directions=storage.directed(study.costs), sampler=samplers.build(study, len(kept.trials), startup=0)
    )
    trials.add_trials(kept.trials)

    def ask() -> Ask:
        trial = trials.ask()
        return Ask(trial.number, draw(study.parameters, trial))

    def answer(asked: Ask) -> None:
        point = made.point(asked, 1)
        trials.tell(asked.number, [point.validation_accuracy, float(point.parameters)])

    return _milliseconds(ask, answer)


def _milliseconds(ask: Callable[[], Ask], answer: Callable[[Ask], None]) -> Callable[[], float]:
    """Some asks in turn, each of them answered; the answers are not timed."""

    def asks() -> float:
        took = 0.0
        for _ in range(ASKS):
            start = time.perf_counter()
            asked = ask()
            took += time.perf_counter() - start
            answer(asked)
        return 1000 * took / ASKS

    return asks


def _reports(run: Run, rounds: int) -> list[Figure]:
    """A report is one point: the front takes it in, and the networks that it beats are deleted."""
    title = f"a report of one point after {run.study.trials} trials"
    return [*measured({title: functools.partial(_report, run)}, "ms", rounds).values()]


def _report(run: Run) -> float:
    """Reports of as many new trials as there are in a round, by a driver that has just started."""
    standing, first = Standing(run, Quiet()), run.study.trials
    settings: dict[str, Value] = {"pruning_strength": 1e-3}
    points = [made.point(Ask(number, settings), 1) for number in range(first, first + REPORTS)]

    def report() -> None:
        for point in points:
            standing.report(point.trial, [point], None)

    return 1000 * seconds(report) / REPORTS


def _decisions(size: int, rounds: int) -> list[Figure]:
    """A decision of the scheduler: of each new trial, the epoch at which judging it took longest."""
    table = Table("digits")
    trainings, trials = Trainings(table, minutes=1), itertools.count()
    halving, front = ParetoHalving(table.study.epochs), Front()

    def train() -> float:
        """The next training, to its end; the longest milliseconds of processor time."""
        trial, longest = next(trials), 0.0
        for point in trainings.points(trial, trial % len(table.trainings)):
            front.add(point)
            start = time.thread_time()  # it waits for nothing
            halving.goes_on(point, front)
            longest = max(longest, time.thread_time() - start)
        return 1000 * longest

    for _ in range(size):
        train()
    title = f"pareto-halving, a trial's longest decision after {size} trials"
    told = measured({title: lambda: statistics.fmean(train() for _ in range(JUDGED))}, "ms", rounds)
    return [figure.asked(at_most=5) if size == GOAL_AT else figure for figure in told.values()]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
