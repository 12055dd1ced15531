"""Coverage: the first proposals of a study, spread over its search space.

They lie evenly, but nearer to the cheap end of a range that has one: several trainings there cost as much
as one at the other end, and say more about a front for it. Of several methods each has its turn. They are a
pure function of the study: when it goes on, it knows which of them it has had.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from gnap_search import qualified, spec
from gnap_search.search.encoding import Encoding
from gnap_search.search.samplers import SPREAD_FIRST
from gnap_search.settings import Value

LEAST, MOST = 4, 16
POINTS = 64  # of the sequence, a power of two above MOST: enough to find as many different ones
LEAN = 2.5  # a share of a range, counted from its cheap end, is raised to this power


def size(study: spec.Study) -> int:
    """How many proposals are spread out: a third, where a sampler's model is to learn from them.

    Of several methods each should be tried once.
    """
    if study.sampler not in SPREAD_FIRST:
        return 0
    return min(max(round(study.trials / 3), LEAST, len(study.methods)), MOST, study.trials)


def proposals(study: spec.Study) -> list[dict[str, Value]]:
    """The searched settings of the first proposals, all different, from a scrambled Sobol sequence."""
    wanted = size(study)
    if not wanted:
        return []
    encoding = Encoding(study.parameters)
    different: list[dict[str, Value]] = []
    for shares in _sequence(study.seed, len(encoding.searched)):
        values = encoding.settings(_taking_turns(encoding, _leaning(encoding, shares), len(different)))
        chosen = {name: value for name, value in values.items() if name in encoding.searched}
        if chosen not in different:
            different.append(chosen)
    return different[:wanted]


def _leaning(encoding: Encoding, shares: list[float]) -> list[float]:
    """The same shares, nearer to the cheap ends."""
    pairs = zip(encoding.searched.values(), shares, strict=True)
    return [_lean(parameter.cheap, share) for parameter, share in pairs]


def _taking_turns(encoding: Encoding, shares: list[float], turn: int) -> list[float]:
    """The same shares, but for the method's, which is that of the one whose turn it is."""
    if qualified.CHOICE not in encoding.searched:
        return shares
    methods = len(encoding.searched[qualified.CHOICE].choices)
    return [
        (turn % methods + 0.5) / methods if name == qualified.CHOICE else share
        for name, share in zip(encoding.searched, shares, strict=True)
    ]


def _lean(cheap: str | None, share: float) -> float:
    if cheap is None:
        return share
    return math.pow(share, LEAN) if cheap == "low" else 1 - math.pow(1 - share, LEAN)


@functools.lru_cache(maxsize=4)
def _sequence(seed: int, dimensions: int) -> list[list[float]]:
    """Points of the unit cube; any first 4, 8 or 16 of them lie evenly in every direction."""
    if not dimensions:
        return [[]]
    from scipy.stats import qmc  # takes two seconds, and most samplers need none of it

    engine = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng([seed, dimensions]))
    points: list[list[float]] = engine.random(POINTS).tolist()
    return points
