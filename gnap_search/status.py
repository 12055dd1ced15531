"""Status: how far a study is, how its trials ended and what a driver came to, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from gnap_search.front import Front
from gnap_search.runs import Run

State = Literal["running", "finished", "ended", "stopped", "unreadable"]
Stop = Literal["interrupted", "timeout"]
Ending = Literal["finished", "patience"] | Stop
"""Why a driver's time with a study is over: nothing is left, Ctrl-C, or a rule of its launch."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What `pareto` and `resume` came to.

    `failed` counts failed trials, retries among them, and `lost` the proposals that failed twice. An
    `interrupted` study goes on with `resume`, and so does one whose `ending` is its timeout or its patience.
    """

    run: Run
    front: Front
    complete: int
    failed: int
    lost: int
    ending: Ending

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.ending == "interrupted"


@dataclasses.dataclass(frozen=True)
class Status:
    """A study at this moment.

    `complete` counts the trials that were trained to their end, `stopped` those that were stopped early
    because others of their kind were better, and `target` those that were asked for; `failures` has the
    reason of every failed trial, those that were tried again included; `told` counts the trials of other
    studies that its sampler knows. A study with trials that are not settled is `running` while a driver works
    on it, `ended` where its patience is over and nothing is half trained, and `stopped` otherwise. Among
    all studies one may be `unreadable`: `problem` says why, and nothing else is known of it.

    `importances`: objective -> setting -> its share in what decides whether a trial is among the better half,
    from the largest to the smallest; an objective's shares add up to 1. Empty as long as too little is known.

    `started`: trial -> seconds from the study's first trial to this one's beginning.
    """

    run: Run
    state: State
    complete: int
    stopped: int
    target: int
    failures: Mapping[int, str]
    told: int = 0
    importances: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    started: Mapping[int, float] = dataclasses.field(default_factory=dict)
    problem: str = ""
