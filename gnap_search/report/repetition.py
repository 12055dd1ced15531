"""Repetition: a study, or trainings of it, as a file by which they can be done once more."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Sequence

from gnap_search import spec
from gnap_search.report import wording
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.space import Parameter
from gnap_search.training.configurations import Configurations
from gnap_search.training.plan import Plan, declared


def command(file: str, run: Run) -> str:
    """What repeats the trainings of a file, beside the study that they are from."""
    return shlex.join(["python", "-m", "gnap_search.training", file, "--out", f"runs/{run.name}-repeated"])


def with_fresh_seeds(run: Run, points: Sequence[Point], seeds: int, file: str) -> str:
    """Each training that points come from, to be done with so many seeds that no trial of the study had.

    A study prefers settings that were lucky with their seed, so only fresh seeds tell what they are worth.
    """
    fresh = run.fresh_seeds(seeds)
    distinct: list[Plan] = []
    for plan in _plans(run, _trials(points)):
        if all(dataclasses.replace(plan, trial=other.trial, seed=other.seed) != other for other in distinct):
            distinct.append(plan)
    plans = [dataclasses.replace(plan, seed=seed) for plan in distinct for seed in fresh]
    number = wording.plural(seeds, "fresh seed")
    about = f"The trainings behind the front of {run.name}, each with {number}, for means that can be cited."
    return _file(run, plans, file, about)


def as_they_were(run: Run, trials: Iterable[int], file: str) -> str:
    """These trials of a study, each with its own seed."""
    return _file(run, _plans(run, trials), file, f"Trainings of {run.name}, as they were.")


def whole_study(run: Run) -> str:
    """A search's study with what it left out at its default: one that starts from it fills nothing in."""
    study = run.study
    if len(study.methods) > 1:
        return study.to_toml()  # it has its methods' whole spaces
    filled_in = spec.namesake(study.method).keys() - study.parameters.keys()
    fields = declared(study.method)
    fixed = {name: Parameter(value=fields[name].default) for name in sorted(filled_in)}
    return study.model_copy(update={"parameters": {**study.parameters, **fixed}}).to_toml()


def _file(run: Run, plans: Sequence[Plan], file: str, about: str) -> str:
    text = Configurations(tuple(plans)).to_toml()
    return f"# {about} Repeat them with\n#     {command(file, run)}\n{text}"


def _plans(run: Run, trials: Iterable[int]) -> list[Plan]:
    return [Plan.of(run.plan(trial)) for trial in trials]


def _trials(points: Iterable[Point]) -> list[int]:
    """The trials that points come from, each once."""
    return list(dict.fromkeys(point.trial for point in points))
