"""Pilot: how many epochs there is time for, from how long one takes here, before a study is made.

A training that is broken off never came to its finish, where the learning rate falls and most is learnt. So
where nobody has asked for a number of epochs, and a study has no time for one training, it is made shorter.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gnap_search import spec
from gnap_search.contracts import Data, Listener, Split
from gnap_search.errors import TrialError
from gnap_search.runs import Run, is_run
from gnap_search.search.encoding import Encoding
from gnap_search.search.foresight import fitting
from gnap_search.search.ledger import Ask

IMAGES = 1000  # of a pilot's training: some steps are enough
GROWN = 1.2  # an epoch takes on average, over one at the start: networks grow before they shrink
LEAST = 5  # epochs, in which a network can grow once and be pruned


def suits(launch: spec.Launch) -> bool:
    """Whether a study has to do with its time, and runs where it can be measured: here, and on no GPU."""
    return bool(launch.timeout) and launch.address is None and not launch.gpus_per_trial


def as_before(study: spec.Study, folder: Path) -> spec.Study:
    """The study with the epochs that it has in its folder, if these were made fewer when it was made."""
    if not is_run(folder):
        return study
    return study.model_copy(update={"epochs": min(Run(folder).study.epochs, study.epochs)})


def in_time(study: spec.Study, launch: spec.Launch, data: Data, listener: Listener) -> spec.Study:
    """A new study with as many epochs as let its first trainings come to their end in the launch's time."""
    share = min(1.0, launch.cpus_per_trial)  # of the processor, which is measured whole
    try:
        seconds = GROWN * _epoch_seconds(study, data) / share
    except TrialError:
        return study  # what cannot be trained is told when it is
    epochs = max(LEAST, min(study.epochs, fitting(seconds, launch.timeout)))
    if epochs < study.epochs:
        listener.message(
            f"an epoch takes about {seconds:.1f} s here, so each training has {epochs} epochs, not the usual "
            f"{study.epochs}, and the first ones come to their end in the time of --timeout; --epochs N asks "
            "for more"
        )
    return study.model_copy(update={"epochs": epochs})


def _epoch_seconds(study: spec.Study, data: Data) -> float:
    """What the second epoch of a training in the middle of the space takes, all images counted."""
    from gnap_search.search.drive import plan
    from gnap_search.threads import one_thread
    from gnap_search.training import schedule
    from gnap_search.training.trainer import Trainer

    every = max(1, len(data.train) // IMAGES)
    part = dataclasses.replace(data, train=_each(data.train, every), validation=_each(data.validation, every))
    encoding = Encoding(study.parameters)
    drawn = encoding.settings([0.5] * len(encoding.searched))
    first = schedule.in_batches_as_on(len(data.train), plan(study, Ask(0, drawn)))
    with one_thread():
        trainer = Trainer(first, part)
        trainer.epoch()  # in which much is compiled and cached
        return every * trainer.epoch().seconds


def _each(split: Split, every: int) -> Split:
    return Split(split.images[::every], split.labels[::every])
