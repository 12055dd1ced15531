"""Launch: run a study from where it stands to its end, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gnap_search import chance, spec
from gnap_search.contracts import Data, Listener
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.runs import Run, is_run
from gnap_search.search import cluster, resources, room
from gnap_search.search.given import Sources
from gnap_search.search.resources import Resources
from gnap_search.status import Ending, Outcome
from gnap_search.training.plan import check_settings

if TYPE_CHECKING:
    from gnap_search.search.ledger import Ledger


Load = Callable[[spec.Study, spec.Launch], Data]


def run(
    study: spec.Study,
    folder: Path,
    launch: spec.Launch,
    listener: Listener,
    load: Load,
    sources: Sources = Sources(),
    *,
    extend: bool = False,
) -> Outcome:
    """Create the study in `folder`, or go on with it, until every trial is settled, Ctrl-C is pressed, or a
    rule of the launch ends it.

    `load` gives the data, and `sources` what the study is given besides its space. With `extend`, the study
    in the folder may have fewer trials than this one. Nothing is written when anything is refused.

    Raises:
        UserError: something is wrong with what was asked, or with where it should run; or every trial failed.
    """
    start = time.monotonic()
    trial = resources.per_trial(launch)
    machine = resources.of_this_machine(with_gpus=trial.gpus > 0)
    refuse_place(launch, folder, machine, trial)
    wanted = machine.for_trials(study.trials, trial)
    with cluster.starting(launch, wanted, folder, ahead=_nothing_there(folder, launch)) as ray:
        from gnap_search.search import pilot
        from gnap_search.search import study as studies
        from gnap_search.search.drive import Drive
        from gnap_search.search.gathering import Gathering

        data, asked = load(study, launch), study.model_fields_set
        study = study.fitted(len(data.train))
        # Trials of another study can be told only to one of the same epochs.
        open_ended = "epochs" not in asked and sources.study is None and pilot.suits(launch)
        if open_ended:
            study = pilot.as_before(study, folder)
        studies.refuse_conflicts(study, folder, launch, data.digest, extend=extend)
        _refuse_settings(study)
        if data.note:
            listener.message(data.note)
        if open_ended and not is_run(folder):
            study = pilot.in_time(study, launch, data, listener)
        with cluster.silence(verbose=launch.verbose):
            given = Gathering(study, folder, listener).gather(sources, data.digest)
        with (
            cluster.silence(verbose=launch.verbose),
            studies.opened(study, folder, launch, data.digest, given) as ledger,
        ):
            drive = Drive(study, folder, launch, listener, data, ledger)
            ending = drive.to_the_end(ray, trial, start + launch.timeout if launch.timeout else None)
            front, settled = drive.standing.front, ending in ("finished", "patience")
            if settled:  # otherwise the front is going to change
                drive.score()
            if ledger.completed and (advice := _advice(study, front, data, settled=settled)):
                listener.message(advice)
            return _outcome(folder, ledger, front, ending)


def _advice(study: spec.Study, front: Front, data: Data, *, settled: bool) -> str:
    """What users should know of a front, in a sentence; empty where it is nothing."""
    return chance.unlearnt(front, data) or (room.unused(study, front) if settled else "")


def _nothing_there(folder: Path, launch: spec.Launch) -> bool:
    """Whether the study is new and local: the checks still to come seldom refuse such a one.

    So Ray may start beside them.
    """
    return launch.address is None and launch.storage is None and not is_run(folder)


def refuse_place(launch: spec.Launch, folder: Path, machine: Resources, trial: Resources) -> None:
    """See that a trial fits into this machine, or into a cluster that answers.

    Raises:
        UserError: it does not.
    """
    if launch.address is None:
        resources.refuse_too_few([machine], trial, None)
        return
    with cluster.silence(verbose=launch.verbose), cluster.running(launch, machine, folder) as present:
        resources.refuse_too_few(present, trial, launch.address)


def _refuse_settings(study: spec.Study) -> None:
    """See that every value that a trial may get is one that it accepts.

    Raises:
        UserError: it is not.
    """
    for name, parameter in study.parameters.items():
        for value in parameter.examples():
            check_settings(study.method, {name: value})


def _outcome(folder: Path, ledger: Ledger, front: Front, ending: Ending) -> Outcome:
    failures = ledger.failures
    complete = ledger.completed
    if failures and not complete and not ledger.stopped and ending == "finished":
        raise UserError(f"All {len(failures)} trials failed; the last one: {failures[max(failures)]}.")
    return Outcome(Run(folder), front, complete, len(failures), len(ledger.lost()), ending)
