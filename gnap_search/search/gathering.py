"""Gathering: what a study is given now, checked against it and told to who watches; nothing is written."""

from __future__ import annotations

from pathlib import Path

from gnap_search import spec
from gnap_search.contracts import Listener
from gnap_search.errors import UserError
from gnap_search.runs import Run, is_run
from gnap_search.search import answers, enqueued, known
from gnap_search.search.given import Given, Sources


class Gathering:
    """The sources of one study, whose ranges are fitted to its data."""

    def __init__(self, study: spec.Study, folder: Path, listener: Listener) -> None:
        self._study, self._folder, self._listener = study, folder, listener
        self._kept = Given.read(folder)

    def gather(self, sources: Sources, digest: str) -> Given:
        """All that the sources give; `digest` is that of the study's data.

        Raises:
            UserError: a source does not suit the study, or asks for more trainings than are left to it.
        """
        given = Given()
        if sources.study is not None:
            given = self._from_study(sources.study, digest)
        if sources.file is not None:
            given = given.and_more(self._from_file(sources.file))
        return given

    def _from_study(self, other: Run, digest: str) -> Given:
        if other.folder.resolve() == self._folder.resolve():
            raise UserError(f"--from-study {other.name} is this study itself; name another one.")
        trials, misfits = known.fitting(self._study, digest, other)
        given = Given(known=tuple(trials))
        before = len(given.known) - len(self._kept.and_more(given).known) + len(self._kept.known)
        words = (
            f"The sampler is told {len(trials)} of the {len(trials) + misfits.total()} trials of {other.name}"
        )
        words += f", {before} of them from before" if before else ""
        words += f"; left out: {known.told(misfits)}" if misfits else ""
        self._listener.message(f"{words}.")
        return given

    def _from_file(self, file: Path) -> Given:
        given = Given(enqueued=tuple(enqueued.read(file, self._study)))
        after = self._kept.and_more(given)
        self._refuse_too_many(after)
        new = len(after.enqueued) - len(self._kept.enqueued)
        before = len(given.enqueued) - new
        words = f"Of the configurations of {file}, {new} come first"
        self._listener.message(words + (f"; {before} were given before." if before else "."))
        return given

    def _refuse_too_many(self, given: Given) -> None:
        """See that every configuration that has not been asked yet has a trial left."""
        asked, places = answers.asked(Run(self._folder)) if is_run(self._folder) else (0, set())
        needed = asked + len(set(range(len(given.enqueued))) - places)
        if needed > self._study.trials:
            raise UserError(
                f"The study has {self._study.trials} trials, {asked} of them asked already, which leaves too "
                f"few for the configurations of --enqueue; ask for --trials {needed} or more."
            )
