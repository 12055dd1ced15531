"""Run: the folder of one study, and where everything in it lies.

    runs/<study>/  study.toml launch.toml environment.json    what was asked, where, and on what it ran
                   study.db                                    Optuna's storage, unless another was asked for
                   given.json                                  trials told to it, and what it trains first
                   test.json                                   point id -> test accuracy, of front points only
                   results.json                                instead of study.db, after given trainings
                   confirmation.json                           point id -> its repeats with fresh seeds
                   confirmation/<trial>/<seed>/                a trial with another seed
                   refits/<point>/                             its training with the validation images
                   exports/<point>/ published/ report.html     what was asked for, unless it was elsewhere
                   driver.lock                                 held by the one driver that may write
                   loop.lock                                   held by who trains given trainings
                   driver.lease                                the pass of its workers
                   trials/<number>/plan.json                   what the trial was asked to do
                   trials/<number>/history.jsonl               one Point a line
                   trials/<number>/checkpoint.safetensors      where it goes on; gone when it has finished
                   trials/<number>/worker.lease                the pass of what trains it; gone likewise
                   trials/<number>/models/<epoch>.safetensors  the networks of front points
                   trials/<number>/error.txt                   why it broke down, where it did
                   trials/<number>/result.json                 what came of a given training,
                   trials/<number>/model.safetensors           and its last network

Reading a run needs neither torch nor Ray nor Optuna. Paths inside are relative, so a run may be moved.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from gnap_search import catalog, files, settings, spec
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.errors import UserError, nearest
from gnap_search.front import Front
from gnap_search.results import History, Point, network

DEFAULT = Path("runs")
WAY_ON = ("checkpoint.safetensors", "worker.lease")  # what a trial has until it is settled
RESULTS = "results.json"  # of given trainings alone
Kept = TypeVar("Kept")
RECORD = TypeAdapter(dict[str, Any])
TESTED = TypeAdapter(dict[str, float])
CONFIRMED = TypeAdapter(dict[str, Annotated[tuple[Repeat, ...], Field(min_length=1)]])


def sparsity(method: str) -> str:
    """What a method leaves of a network: see `gnap_search.contracts.Method.sparsity`."""
    return settings.constant(catalog.source("methods", method), "sparsity")


class Run:
    """One study's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name

    @cached_property
    def study(self) -> spec.Study:
        """What was asked."""
        return spec.Study.read(self.folder / "study.toml")

    @cached_property
    def launch(self) -> spec.Launch:
        """Where and how it ran last."""
        return spec.Launch.read(self.folder / "launch.toml")

    def trial_folder(self, trial: int) -> Path:
        """Where a trial keeps its files."""
        return self.folder / "trials" / str(trial)

    def model(self, point: Point) -> Path:
        """The file with the network of a front point."""
        return network(self.trial_folder(point.trial), point.epoch)

    def history(self, trial: int) -> History:
        """The points of a trial so far."""
        return History(self.trial_folder(trial) / "history.jsonl")

    def plan(self, trial: int) -> dict[str, Any]:
        """What the trial was asked to do.

        Raises:
            UserError: its file is missing or damaged.
        """
        path = self.trial_folder(trial) / "plan.json"
        try:
            plan = RECORD.validate_python(json.loads(path.read_text()))
            RECORD.validate_python(plan.get("settings"))
        except (OSError, ValueError):  # pydantic's errors are among the latter
            raise UserError(
                f"{path} is missing or damaged; restore it, or delete the trial's folder to go on without it."
            ) from None
        return plan

    def method(self, trial: int) -> str:
        """How the trial grew and pruned."""
        return self.study.method if len(self.study.methods) == 1 else str(self.plan(trial)["method"])

    def sparsity(self, trial: int) -> str:
        """What the trial's method leaves: `structured`, or `unstructured` where single weights are zero."""
        return sparsity(self.method(trial))

    def goes_on(self, trial: int) -> bool:
        """Whether a trial is not settled: what it would go on from is there."""
        folder = self.trial_folder(trial)
        return any((folder / name).is_file() for name in WAY_ON)

    def with_folder(self) -> list[int]:
        """The trials that have a folder, in order: those that have begun, are about to, or never could."""
        folders = (self.folder / "trials").glob("*/")
        return sorted(int(folder.name) for folder in folders if folder.name.isdigit())

    def trials(self) -> list[int]:
        """The trials that have begun, in order."""
        return [trial for trial in self.with_folder() if _begun(self.trial_folder(trial))]

    def points(self) -> Iterator[Point]:
        """Every settled point of every trial."""
        for trial in self.trials():
            yield from self.history(trial)

    def front(self) -> Front:
        """The study's front, from the histories."""
        return self.study.front(self.points())

    @property
    def test_accuracies(self) -> dict[str, float]:
        """Point id -> accuracy on the test split, for the points scored so far."""
        return self._kept("test.json", TESTED)

    def keep_test_accuracies(self, accuracies: Mapping[str, float]) -> None:
        """Replace the kept test accuracies."""
        files.replace(self.folder / "test.json", json.dumps(accuracies, indent=1))

    @property
    def confirmed(self) -> dict[str, Confirmed]:
        """Point id -> its repeats with fresh seeds, for the points that have any."""
        kept = self._kept("confirmation.json", CONFIRMED)
        return {point: Confirmed(repeats) for point, repeats in kept.items()}

    def keep_confirmed(self, confirmed: Mapping[str, Confirmed]) -> None:
        """Replace the kept repeats."""
        kept = {point: repeats.kept() for point, repeats in confirmed.items()}
        files.replace(self.folder / "confirmation.json", json.dumps(kept, indent=1))

    def repeat_folder(self, trial: int, seed: int) -> Path:
        """Where a trial keeps its files that is trained again with another seed."""
        return self.folder / "confirmation" / str(trial) / str(seed)

    def fresh_seeds(self, count: int) -> list[int]:
        """The first whole numbers that are the seed of no trial with a point."""
        used = {self.plan(trial)["seed"] for trial in {point.trial for point in self.points()}}
        return list(itertools.islice((seed for seed in itertools.count() if seed not in used), count))

    def confirmed_knee(self) -> Point:
        """The knee of the front's confirmed points by their mean accuracies; of all, where none is confirmed.

        Raises:
            UserError: the front is empty.
        """
        front, confirmed = self.front(), self.confirmed
        believed = [
            dataclasses.replace(
                point, validation_accuracy=confirmed[point.id].spread("validation_accuracy").mean
            )
            for point in front.points
            if point.id in confirmed
        ]
        return front.find(Front(believed, costs=front.costs).knee().id) if believed else front.knee()

    def refuse_other_data(self, digest: str) -> None:
        """See that data are those of the study: accuracies on other images would say nothing.

        Raises:
            UserError: they are not.
        """
        other = next(iter(self.data_digests - {digest}), None)
        if other is not None:
            raise UserError(
                f"Study {self.name!r} was trained on other data (digest {other[:12]}, here {digest[:12]}); "
                "bring these back, or name where they lie now with --data-root."
            )

    @property
    def data_digests(self) -> set[str]:
        """The digests of the data that it was trained on: one, or none before anything was."""
        kept = {told.get("data_digest") for told in (self.environment, *self.results)}
        return {digest for digest in kept if digest}

    @property
    def images(self) -> str:
        """What it is on, in words."""
        return self.study.images

    @property
    def environment(self) -> dict[str, Any]:
        """On what a search ran, and the digest of its data; empty after given trainings."""
        return self._kept("environment.json", RECORD)

    @property
    def searched(self) -> bool:
        """Whether the trials were proposed in a search, and not given one by one."""
        return not (self.folder / RESULTS).is_file()

    @property
    def results(self) -> list[dict[str, Any]]:
        """What came of each given training that has finished; empty after a search."""
        results: list[dict[str, Any]] = self._kept(RESULTS, RECORD).get("trials", [])
        return results

    @property
    def given_failures(self) -> dict[int, str]:
        """Why given trainings failed that have not finished since; empty after a search."""
        failures: dict[str, str] = self._kept(RESULTS, RECORD).get("failures", {})
        return {int(trial): reason for trial, reason in failures.items()}

    @property
    def given_command(self) -> str:
        """What goes on with given trainings; the file that asked for them is not known any more."""
        return f"python -m gnap_search.training FILE.toml --out {shlex.quote(str(self.folder))}"

    def refuse_unsearched(self) -> None:
        """See that there is a search to go on with, if there is anything yet.

        Raises:
            UserError: the folder holds given trainings.
        """
        if not self.searched:
            raise UserError(
                f"{self.name!r} has given trainings and no search to go on with; the command that began them "
                f"goes on with them: `{self.given_command}`."
            )

    def notes(self, point: Point) -> dict[str, Any]:
        """What the model files of a front point say of it besides what its trial wrote into them."""
        confirmed = self.confirmed.get(point.id)
        return {
            "study": self.name,
            "validation_accuracy": point.validation_accuracy,
            "test_accuracy": self.test_accuracies.get(point.id),
            "confirmed": confirmed.told() if confirmed else None,
        }

    def provenance(self, point: Point) -> dict[str, Any]:
        """How the network of a front point came to be."""
        plan = self.plan(point.trial)
        content = (self.folder / "study.toml").read_bytes()
        return {
            "epochs": point.epoch,
            "epochs_in_all": plan["epochs"],
            "seed": plan["seed"],
            "study_digest": hashlib.sha256(content).hexdigest(),
        }

    def front_record(self) -> dict[str, Any]:
        """The front as `gnap-search front --json` writes it.

        A test accuracy is null until it is scored, and what a point was confirmed with until it is.
        """
        front, scored, confirmed = self.front(), self.test_accuracies, self.confirmed
        return {
            "study": self.name,
            "dataset": self.study.dataset,
            "training_images": self.study.training_images,
            "validation_images": self.study.validation_images,
            "method": self.study.method,
            "objectives": list(self.study.objectives),
            "hypervolume": front.hypervolume(),
            "points": [
                {
                    **point.told(scored.get(point.id)),
                    "confirmed": confirmed[point.id].told() if point.id in confirmed else None,
                    "method": self.method(point.trial),
                    "sparsity": self.sparsity(point.trial),
                    "config": self.plan(point.trial)["settings"],
                }
                for point in front.points
            ],
        }

    def _kept(self, name: str, kind: TypeAdapter[Kept]) -> Kept:
        """The content of a JSON file; empty where there is none."""
        path = self.folder / name
        try:
            return kind.validate_python(json.loads(path.read_text()) if path.is_file() else {})
        except ValueError:  # it is not JSON, or not of this kind
            way = "delete it, or restore it"
            if name == RESULTS:  # without it, given trainings would pass for a search
                way = f"`{self.given_command}`, which began the trainings, writes it anew"
            raise UserError(f"{path} is damaged; {way}.") from None


def check_name(name: str) -> None:
    """Refuse a name that could not be a folder's, or that would lead out of the folder of runs.

    Raises:
        UserError: it has other characters than letters, digits, `.`, `_` and `-`, or does not begin with one
            of the first two.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UserError(
            f"{name!r} cannot name a study: use up to 100 letters, digits, '.', '_' and '-', "
            "beginning with a letter or a digit."
        )


def find(runs: Path, name: str) -> Run:
    """The run of that name.

    Raises:
        UserError: there is none; the nearest name is told.
    """
    check_name(name)
    if not is_run(runs / name):
        known = [run.name for run in every(runs)]
        raise UserError(f"There is no study {name!r} in {runs}; {nearest(name, known)}")
    return Run(runs / name)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a study; a path that no file could have is none either."""
    return os.path.isfile(folder / "study.toml")  # pathlib would raise


def holds(runs: Path, name: str) -> bool:
    """Whether a name, which is no path, is that of a study in a folder of runs."""
    return Path(name).name == name and is_run(runs / name)


def find_anywhere(runs: Path, name: str) -> Run:
    """The run of that name, or else the one whose folder this is.

    Raises:
        UserError: there is neither.
    """
    folder = Path(os.path.expanduser(name))
    if is_run(folder) and not holds(runs, name):
        return Run(folder.resolve())
    if folder.name != name:
        raise UserError(f"There is no study in {folder}; name one of {runs}, or a folder with a study.toml.")
    return find(runs, name)


def found_by(folder: Path) -> str:
    """A study's name with the flag that finds it again."""
    runs = folder.parent
    usual = runs.absolute() == DEFAULT.absolute()
    return folder.name if usual else f"{folder.name} --runs {shlex.quote(str(runs))}"


def every(runs: Path) -> list[Run]:
    """All runs in a folder, by name."""
    return [Run(path.parent) for path in sorted(runs.glob("*/study.toml"))]


def _begun(folder: Path) -> bool:
    """Whether a trial has begun: it writes its plan first, so that without one a history is damaged."""
    return any((folder / name).is_file() for name in ("plan.json", "history.jsonl"))


def forget_way_on(folder: Path) -> None:
    """Delete what only a training that goes on needs: its checkpoint, and the pass of its process."""
    for name in WAY_ON:
        (folder / name).unlink(missing_ok=True)
