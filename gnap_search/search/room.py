"""Room: whether a front leaves most of the parameters that it may have, and what makes more of them."""

from __future__ import annotations

from gnap_search import spec
from gnap_search.front import Front

MUCH = 0.5  # of what is allowed
ENOUGH = 0.98  # accuracy, beyond which more parameters would gain little
WIDTH = "seed_scale"


def unused(study: spec.Study, front: Front) -> str:
    """A sentence for users who allow far more parameters than the best network has; empty for all others.

    Who has said how wide networks begin knows already. On photographs a start twice as wide is worth two to
    three points at the sizes that both reach (docs/gnap.md).
    """
    limit, said = study.constraints.max_params, any(name.endswith(WIDTH) for name in study.parameters)
    if limit is None or said or not front.points or front.best.validation_accuracy >= ENOUGH:
        return ""
    used = front.best.parameters
    if used > MUCH * limit:
        return ""
    return (
        f"the most accurate network has {used:,} of the {limit:,} parameters that are allowed; networks that "
        f"begin wider, with --set {WIDTH}=2 and another --study, may make more of them, in more time"
    )
