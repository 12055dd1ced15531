"""Ledger: every trial that was asked of Optuna, and how it ended. The truth about a study's trials.

Optuna's states are used as follows. RUNNING: asked, and to be answered, by this driver or by the next one.
COMPLETE: trained to its last epoch; the values are those of its last point. PRUNED: stopped early; it has no
values. FAIL: training failed, or it was never trained. A failed trial is asked once more, as a new trial.
User attributes tell the rest, see `gnap_search.search.marks`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from gnap_search import spec
from gnap_search.results import Point
from gnap_search.search import coverage, marks, samplers, telling
from gnap_search.search.expense import Expense
from gnap_search.search.given import Given
from gnap_search.search.marks import DISCARDED, ENQUEUED, KNOWN, REASON, RETRY_OF, STOPPED, counted
from gnap_search.search.patience import Watch
from gnap_search.search.roll import Roll
from gnap_search.search.slices import Settings, Slices
from gnap_search.search.standing import Standing
from gnap_search.search.twin import Twin
from gnap_search.settings import Value
from gnap_search.space import draw

DRAWS = 5  # of a sampler, before it may propose the same again
ENOUGH = 2  # trials that have ended, for a proposal that learns from them
LEARNT = 0.75  # the share of such proposals as long as others are spread out evenly
BESIDE_LEANING = 0.25  # the same where those lean to cheap ends, and so are worth more
RECENT = 200  # trials from which the costs of such proposals are foreseen


@dataclasses.dataclass(frozen=True)
class Ask:
    """One trial that is to be trained."""

    number: int
    settings: dict[str, Value]


class Ledger:
    """The trials of one study in Optuna. One process writes it, the driver."""

    def __init__(
        self, trials: optuna.Study, storage: BaseStorage, study: spec.Study, given: Given = Given()
    ) -> None:
        self._twin, self._study, self._given = Twin(trials, storage), study, given
        self._first = coverage.proposals(study)
        searched = [parameter for parameter in study.parameters.values() if parameter.searched]
        self._learnt = BESIDE_LEANING if any(parameter.cheap for parameter in searched) else LEARNT
        examples = [value for parameter in searched for value in parameter.examples()]
        self._discrete = bool(examples) and all(isinstance(value, str | bool | int) for value in examples)
        self._empty = study.front()
        self._roll, self._watch = Roll(), Watch(self._empty)
        self._standing: Standing | None = None  # until somebody knows what the trials come to
        self._patience = 0
        self._stalled: bool | None = None  # None where that has to be found out
        self._spread = False  # whether all first proposals have been asked
        self._asked: dict[frozenset[tuple[str, Value]], int] = {}  # settings -> the first trial with them
        self._looked_at = 0  # trials, for these
        self._take()
        places = range(len(given.known))
        self._told = [trial for trial in self._twin.trials() if trial.user_attrs.get(KNOWN) in places]
        asked = len(self._twin.trials())
        self._twin.sampled_by(samplers.build(study, asked, len(self._first)))
        seed = samplers.seed_after(study, asked)
        self._dice = np.random.default_rng(seed)
        self._slices = Slices(study, seed) if study.sampler == "tpe" and len(study.costs) == 1 else None

    def attend(self, standing: Standing, patience: int = 0) -> None:
        """Learn from now on from what the trials come to.

        When the front has stalled over `patience` trials, no more are asked; 0 is for ever.
        """
        self._standing, self._patience, self._stalled = standing, patience, None

    def adopt(self) -> list[Ask]:
        """The trials that an earlier driver left unanswered, to go on with under their own numbers.

        Those that it did not finish asking are discarded, and retries that it did not come to are queued.
        """
        adopted = []
        for trial in self._twin.trials(TrialState.RUNNING):
            settings = self._settings(trial)
            if settings is None:
                self._discard(trial.number, "its driver ended while it was being asked")
            else:
                adopted.append(Ask(trial.number, settings))
        self._queue_retries()
        return adopted

    def ask(self) -> Ask | None:
        """A new trial: a queued one, one of the study's first spread-out proposals, or a learnt one.

        Queued are configurations that come first, and retries. Learnt are those of the study's sampler; TPE's
        are for one size of the front at a time, as soon as there is something to learn from.

        None when as many as the study wants have been asked, and while its front has stalled.
        """
        if self.stalled:
            return None
        for left in reversed(range(DRAWS)):
            queued = self._followed().waiting
            if not queued and self.originals >= self._study.trials:
                return None
            proposal, new = (None, True) if queued else self._proposal()
            number, settings = self._twin.ask(functools.partial(draw, self._study.parameters), proposal)
            if new or not left or not self._known(number, settings):
                return Ask(number, settings)
            self._discard(number, "the same settings had been asked before")
        raise AssertionError("the last draw is always taken")

    def complete(self, number: int, point: Point) -> str | None:
        """Answer a trial with its last point; one that is not a number fails it, and gives the reason.

        A trial that was stopped before its last epoch has no values that could be compared with others'.
        """
        self._stalled = None
        if point.epoch < self._study.epochs:
            self._twin.mark(number, STOPPED, point.epoch)
            self._twin.tell(number, state=TrialState.PRUNED)
            return None
        values = telling.values(point, self._study.costs)
        if not all(map(math.isfinite, values)):
            reason = f"its last accuracy is {point.validation_accuracy}"
            self.fail(number, reason)
            return reason
        self._twin.constrain(number, telling.limits(self._study.constraints, point))
        self._twin.tell(number, values)
        return None

    def fail(self, number: int, reason: str) -> None:
        """Answer a trial that failed, and queue its retry if it was not one itself."""
        self._stalled = None
        self._twin.mark(number, REASON, reason)
        self._twin.tell(number)
        self._queue_retries()

    def repeats(self, number: int) -> bool:
        """Whether a trial that has failed is retried: it is, unless it was a retry."""
        return RETRY_OF not in self._twin.trials()[number].user_attrs

    @property
    def originals(self) -> int:
        """How many different proposals have been asked; retries and discarded ones do not count."""
        return self._followed().originals

    @property
    def completed(self) -> int:
        """How many trials were trained to their end."""
        return sum(trial.state == TrialState.COMPLETE for trial in self._counted())

    @property
    def stopped(self) -> int:
        """How many trials were stopped early."""
        return len(self._twin.trials(TrialState.PRUNED))

    @property
    def done(self) -> int:
        """How many proposals need no further training: it succeeded, was stopped early, or failed twice."""
        return self.completed + self.stopped + len(self.lost())

    @property
    def left(self) -> int:
        """How many trials have to be trained, as far as is known: no retry is foreseen."""
        unanswered = self._twin.trials(TrialState.RUNNING, TrialState.WAITING)
        return len(unanswered) + max(self._study.trials - self.originals, 0)

    @property
    def failures(self) -> dict[int, str]:
        """Trial -> the reason why it failed."""
        return {
            trial.number: str(trial.user_attrs[REASON])
            for trial in self._twin.trials(TrialState.FAIL)
            if REASON in trial.user_attrs
        }

    def lost(self) -> list[int]:
        """The failed proposals whose retry failed as well."""
        failed = self._twin.trials(TrialState.FAIL)
        return [int(trial.user_attrs[RETRY_OF]) for trial in failed if marks.failed_again(trial)]

    @property
    def stalled(self) -> bool:
        """Whether the study's patience is over, as of the last trial that was answered.

        Patience only holds back the sampler's proposals; given configurations are trained in any case.
        """
        if self._stalled is None:
            ended, standing = self._followed().ended, self._standing
            points, front = (standing.telling, standing.front) if standing else (_none, self._empty)
            self._stalled = self._watch.stalled(ended, self._patience, points, front)
        return self._stalled and not marks.enqueued(self._twin.trials(TrialState.WAITING))

    def settled(self) -> set[int]:
        """The trials that are answered."""
        answered = self._twin.trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return {trial.number for trial in answered}

    def _proposal(self) -> tuple[Settings | None, bool]:
        """What is to be asked next, and whether it has certainly not been asked before.

        None leaves it to Optuna's sampler.
        """
        trials = self._twin.trials()
        spread_out = self._spread_out(trials)
        learnt = not spread_out or self._dice.random() < self._learnt
        if learnt and (proposal := self._sliced(trials)) is not None:
            return proposal, False
        if spread_out:
            return min(spread_out, key=Expense(self._study.parameters, self._costs(trials))), True
        return None, False

    def _sliced(self, trials: list[FrozenTrial]) -> Settings | None:
        """A proposal for one size of the front, this study's own and that of the trials it was given.

        None where there is nothing to learn from yet.
        """
        standing = self._standing
        if self._slices is None or standing is None:
            return None
        ended, front = self._roll.ended, standing.front
        if self._told:
            ended = [*self._told, *ended]
            front = front.of([*(known.point for known in self._given.known), *front.points])
        if len(ended) < ENOUGH or not front.points:
            return None
        points = functools.partial(self._points, standing)
        return self._slices.propose(front, ended, points, lambda: self._costs(trials[-RECENT:]))

    def _points(self, standing: Standing, trial: FrozenTrial) -> Iterable[Point]:
        """What is known of a trial that has ended, here or in another study."""
        place = trial.user_attrs.get(KNOWN)
        return standing.telling(trial.number) if place is None else [self._given.known[place].point]

    def _spread_out(self, trials: list[FrozenTrial]) -> list[Settings]:
        """The first proposals that are to be asked still; what is known stands for as many of them."""
        if self._spread or not self._first:
            return []
        told = [known.settings for known in self._given.known]
        asked = [trial.params for trial in counted(trials)]
        self._spread = sum(one in asked for one in self._first) + len(told) >= len(self._first)
        return [] if self._spread else [one for one in self._first if one not in [*asked, *told]]

    def _costs(self, trials: list[FrozenTrial]) -> list[tuple[Settings, float]]:
        """Settings and whole costs of the trials that have begun."""
        if self._standing is None:
            return []
        costs = [(trial.params, self._standing.cost(trial.number)) for trial in trials]
        return [(settings, cost) for settings, cost in costs if cost]

    def _followed(self) -> Roll:
        """The roll as of now."""
        self._roll.follow(self._twin.trials())
        return self._roll

    def _counted(self) -> Iterator[FrozenTrial]:
        return counted(self._twin.trials())

    def _settings(self, trial: FrozenTrial) -> dict[str, Value] | None:
        """All settings of a trial, or None where some have not been drawn."""
        try:
            return draw(self._study.parameters, FixedTrial(trial.params))
        except ValueError:
            return None

    def _known(self, number: int, settings: dict[str, Value]) -> bool:
        """Whether a space without continuous parameters gave these settings before."""
        if not self._discrete:
            return False
        for trial in self._twin.trials()[self._looked_at :]:
            if DISCARDED not in trial.user_attrs:
                self._asked.setdefault(frozenset((self._settings(trial) or {}).items()), trial.number)
        self._looked_at = number
        return self._asked.get(frozenset(settings.items()), number) != number

    def _discard(self, number: int, reason: str) -> None:
        self._twin.mark(number, DISCARDED, reason)
        self._twin.tell(number)

    def _take(self) -> None:
        """Tell the sampler what is known, and queue what comes first, but for what earlier drivers did."""
        told = {trial.user_attrs.get(KNOWN) for trial in self._twin.trials()}
        for place, known in enumerate(self._given.known):
            if place not in told:
                self._twin.add(telling.known_trial(self._study, known, place))
        asked = marks.enqueued(self._counted())
        for place, settings in enumerate(self._given.enqueued):
            if place not in asked:
                self._twin.queue(settings, {ENQUEUED: place})

    def _queue_retries(self) -> None:
        """See that every failed proposal has one retry; it is in memory until it is asked."""
        for trial in marks.not_retried(self._counted()):
            self._twin.queue(trial.params, {RETRY_OF: trial.number})


def _none(trial: int) -> list[Point]:
    """The points of a trial while nobody knows of any."""
    del trial
    return []
