"""Telling: what Optuna hears of a trial's last point, and of trials that another study has trained."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FixedTrial, FrozenTrial

from gnap_search import spec
from gnap_search.front import decades
from gnap_search.results import Point
from gnap_search.search import samplers
from gnap_search.search.given import Known
from gnap_search.search.marks import FROM_STUDY, KNOWN
from gnap_search.space import draw


def values(point: Point, costs: Sequence[str]) -> list[float]:
    """Its accuracy, and the logarithm of each cost."""
    return [point.validation_accuracy, *(decades(point, cost) for cost in costs)]


def limits(constraints: spec.Constraints, point: Point) -> dict[str, float]:
    """Constraint -> how far a point is past it, for those that are set; 0 and below is met."""
    names = [name for name in type(constraints).model_fields if getattr(constraints, name) is not None]
    return dict(zip(names, constraints.budget().violations(point), strict=True))


def known_trial(study: spec.Study, known: Known, place: int) -> FrozenTrial:
    """A trial of another study as one of this study's that has ended; `place` is that in what was given."""
    fixed = FixedTrial(dict(known.settings))
    draw(study.parameters, fixed)
    return optuna.create_trial(
        params=fixed.params,
        distributions=fixed.distributions,
        values=values(known.point, study.costs),
        constraints=limits(study.constraints, known.point),
        user_attrs={FROM_STUDY: known.study, KNOWN: place},
        system_attrs=samplers.own_marks(study),
    )
