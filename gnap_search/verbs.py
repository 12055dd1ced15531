"""The verbs as Python functions: what `import gnap_search` offers and the command line calls.

Every verb takes what its command takes and returns data. Bad input raises `UserError`, which says in one
sentence what was expected.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, cast, get_args

from gnap_search import catalog, comparison, entries, request, spec
from gnap_search import runs as folders
from gnap_search.comparison import Comparison
from gnap_search.confirmation import Confirmed
from gnap_search.contracts import Listener, SplitName
from gnap_search.entries import Entry, Page
from gnap_search.errors import UserError, nearest, refuse_unknown
from gnap_search.flags import (
    Asked,
    Beginning,
    Confirming,
    Continued,
    Evaluating,
    Exporting,
    Limited,
    Located,
    PlacedStudy,
    Predicting,
    Publishing,
    Reporting,
    Serving,
    Training,
)
from gnap_search.front import Budget, Front
from gnap_search.reference import Reference
from gnap_search.report.quiet import Quiet
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.settings import Value
from gnap_search.status import Outcome, Status

if TYPE_CHECKING:
    import numpy as np

    from gnap_search.contracts import Data
    from gnap_search.export import Evaluation, Exported, Prediction
    from gnap_search.refit import Refitted
    from gnap_search.search.given import Sources
    from gnap_search.search.launch import Load
    from gnap_search.single import Trained
    from gnap_search.structure import Shape

RUNS = folders.DEFAULT
SEEDS = 3  # of a confirmation
TOP = 3  # classes of a picture
HOST, PORT = "127.0.0.1", 8080  # of a dashboard


@dataclasses.dataclass(frozen=True)
class Confirmation:
    """What `confirm` came to: point id -> its repeats, which are None where there are none yet.

    `failures` has a sentence for each training that failed. An `interrupted` confirmation goes on when it is
    asked for again.
    """

    run: Run
    points: Mapping[str, Confirmed | None]
    failures: tuple[str, ...]
    interrupted: bool


def pareto(
    name: str | None = None,
    *,
    runs: Path = RUNS,
    listener: Listener | None = None,
    **asked: Unpack[PlacedStudy],
) -> Outcome:
    """Search for a front: create a study, or go on with one that exists and asks the same.

    Raises:
        UserError: something that was asked for is wrong, or the study exists and asks for something else.
    """
    placed = {key: value for key, value in asked.items() if key in spec.Launch.model_fields}
    elsewhere = placed.keys() | Beginning.__annotations__.keys()
    wanted = {key: value for key, value in asked.items() if key not in elsewhere}
    meant = request.study(cast(Asked, wanted))
    launch = spec.launch(placed)
    name = name or request.name(meant.dataset, meant.method)
    folders.check_name(name)
    sources = _sources(cast(Beginning, asked), Path(runs))
    return _search(meant, Path(runs) / name, launch, listener, _load, sources)


def resume(
    name: str,
    *,
    trials: int | str | None = None,
    runs: Path = RUNS,
    listener: Listener | None = None,
    **asked: Unpack[Continued],
) -> Outcome:
    """Finish a study, or extend it: to `trials` in all, or by as many as a text like `+20` says.

    Raises:
        UserError: there is no such study, or it has more trials than that already.
    """
    refuse_unknown(asked, Continued.__annotations__)
    run = study(name, runs=runs)
    run.refuse_unsearched()
    meant = request.extended(run.study, trials)
    placed = {key: value for key, value in asked.items() if key in spec.Launch.model_fields}
    launch = spec.launch({**run.launch.model_dump(), **placed})
    sources = _sources(cast(Beginning, asked), Path(runs))
    return _search(meant, run.folder, launch, listener, _finding(run, asked), sources, extend=True)


def studies(*, runs: Path = RUNS) -> list[Status]:
    """All studies in a folder of runs; one that cannot be read is `unreadable`, and `problem` says why."""
    from gnap_search.search import answers

    return [answers.status_or_problem(run) for run in folders.every(Path(runs))]


def show(name: str, *, runs: Path = RUNS) -> Status | list[Page]:
    """A study's status, or else what the catalog has under this name.

    Raises:
        UserError: neither is there; the nearest name is told.
    """
    known = {run.name: run for run in folders.every(Path(runs))}
    if name in known:
        from gnap_search.search import answers

        return answers.full_status(known[name])
    pages = entries.pages(name)
    if not pages:
        raise UserError(
            f"There is no study in {runs} and nothing in the catalog named {name!r}; "
            f"{nearest(name, known.keys() | entries.names())}"
        )
    return pages


def front(name: str, *, runs: Path = RUNS) -> Front:
    """The front of a study.

    Raises:
        UserError: there is no such study.
    """
    return study(name, runs=runs).front()


def compare(*names: str | Path, means: bool = False, runs: Path = RUNS) -> Comparison:
    """Several studies' fronts side by side: hypervolumes, best accuracies at round sizes, the common front.

    A single study's methods are compared, where it has several. A folder with a published front may stand
    for a study. With `means`, configurations that were trained with several seeds are compared by their means
    over these.

    Raises:
        UserError: there is no such study, one is named twice, they are on different data, or what is asked
            for is not there.
    """
    return comparison.compare([_side(name, runs) for name in names], averaged=means)


def _side(name: str | Path, runs: Path) -> Run | Reference:
    """The study of that name, or else the published front in that folder."""
    name = str(name)
    folder = _published(name, runs)
    return folders.find(Path(runs), name) if folder is None else Reference.read(folder)


def _published(name: str, runs: Path) -> Path | None:
    """The folder with a published front that a name means, where no study has it."""
    folder = Path(os.path.expanduser(name))
    return folder if Reference.is_in(folder) and not folders.holds(Path(runs), name) else None


def report(
    *names: str, runs: Path = RUNS, listener: Listener | None = None, **wanted: Unpack[Reporting]
) -> Path:
    """Write a page about a study, or about several on the same data: one file that any browser opens.

    Limits mark the point that meets them. Without a `file` it lies in the first study's folder. The listener
    hears which networks the page is without, because they cannot be read.

    Raises:
        UserError: no study is named or there is no such one, a front is empty, their data differ, or the file
            cannot be written.
    """
    refuse_unknown(wanted, Reporting.__annotations__)
    from gnap_search.report import document, dossier, record
    from gnap_search.search import answers

    if not names:
        raise UserError("A report is about one study or several; name at least one.")
    found = [study(name, runs=runs) for name in names]
    if len(found) > 1:
        comparison.refuse_incomparable(found)
    file = Path(wanted.get("file", found[0].folder / "report.html"))
    statuses = [answers.full_status(run) for run in found]
    told = dossier.of(statuses, budget(wanted), (listener or Quiet()).message)
    record.write(document.written(told), file)
    return file


@contextlib.contextmanager
def dashboard(name: str, *, runs: Path = RUNS, **where: Unpack[Serving]) -> Iterator[str]:
    """A study in optuna-dashboard while it is searched: on copies, so that looking changes and locks nothing.

    Yields:
        The address to look at, until the block ends.

    Raises:
        UserError: there is no such study, optuna-dashboard is not installed, or the port is not free.
    """
    refuse_unknown(where, Serving.__annotations__)
    from gnap_search.search import dashboard as dashboards

    run = study(name, runs=runs)
    dashboards.refuse_missing()
    with dashboards.serving(run, where.get("host", HOST), where.get("port", PORT)) as address:
        yield address


def study(name: str, *, runs: Path = RUNS) -> Run:
    """A study's folder: its points, its front with test accuracies, its files.

    Raises:
        UserError: there is no such study, or a published front has that name.
    """
    if (folder := _published(name, runs)) is not None:
        raise UserError(
            f"{name} is a published front, and a study is needed; its networks are the .onnx files in "
            f"{folder}, `gnap-search evaluate` scores one of them, and `gnap-search compare` shows the front "
            "beside others."
        )
    return folders.find(Path(runs), name)


def confirm(
    name: str,
    *,
    runs: Path = RUNS,
    listener: Listener | None = None,
    **wanted: Unpack[Confirming],
) -> Confirmation:
    """Train the configurations of front points with fresh seeds: what they are worth without their luck.

    It goes on with what an earlier call began, and trains nothing that it finished. All points that a trial
    has on the front share its trainings, and so are confirmed together.

    Raises:
        UserError: the front is empty, no point is meant, or the study is being driven.
    """
    refuse_unknown(wanted, Confirming.__annotations__)
    from gnap_search.search import confirm as confirming

    run = study(name, runs=runs)
    seeds = wanted.get("seeds", SEEDS)
    if seeds < 1:
        raise UserError(f"--seeds {seeds} should be above 0.")
    points = _meant(run.front(), wanted)
    placed = {key: value for key, value in wanted.items() if key in spec.Launch.model_fields}
    launch = spec.launch({**run.launch.model_dump(), **placed})
    summary = confirming.run(run, points, seeds, launch, listener or Quiet(), _finding(run, wanted))
    return Confirmation(
        run,
        {point.id: run.confirmed.get(point.id) for point in points},
        summary.failures,
        summary.interrupted,
    )


def export(
    name: str, *, runs: Path = RUNS, listener: Listener | None = None, **wanted: Unpack[Exporting]
) -> list[Exported]:
    """Write a front point's network to files, each read back and compared, with a model card.

    Without a choice it is the knee of the points that were confirmed, or else the knee of the front. With
    `refit` the network is trained once more for it, on the validation images too. The listener hears, before
    anything is written, which files have lost accuracy by rounding.

    Raises:
        UserError: the front is empty, no point fits, the data are not those of the study, or a file does not
            give the network's answers.
        TrialError: the training of a refit broke down.
    """
    refuse_unknown(wanted, Exporting.__annotations__)
    from gnap_search.export import package

    run, listener = study(name, runs=runs), listener or Quiet()
    classifier, data, notes, history = _meant_network(run, wanted, listener)
    place = f"{notes['point']}-refit" if wanted.get("refit", False) else notes["point"]
    return package(
        classifier,
        wanted.get("formats", ("safetensors",)),
        Path(wanted.get("directory", run.folder / "exports" / place)),
        data,
        notes,
        history=history,
        tell=listener.message,
    )


def publish(name: str, *, runs: Path = RUNS, **wanted: Unpack[Publishing]) -> list[Exported]:
    """Write the front, or its points within limits, to a folder that anybody can check.

    Raises:
        UserError: no point is within the limits, a file does not give its network's answers, or the folder
            holds something else.
    """
    refuse_unknown(wanted, Publishing.__annotations__)
    from gnap_search import publication

    run = study(name, runs=runs)
    directory = Path(wanted.get("directory", run.folder / "published"))
    return publication.publish(run, lambda: _data(run, wanted), budget(wanted), directory)


def pick(run: Run, wanted: Exporting) -> Point:
    """The point of a study's front that is meant: by its id, under limits, or a knee.

    Raises:
        UserError: two ways to choose are mixed, or no point fits.
    """
    front, limits = run.front(), budget(wanted)
    ways = ["point" in wanted, wanted.get("knee", False), limits != Budget()]
    if sum(ways) > 1:
        raise UserError("Choose a point by --point, by --knee or by limits, and not by two of them.")
    if "point" in wanted:
        return front.find(wanted["point"])
    if limits != Budget():
        return front.within(limits)
    return front.knee() if wanted.get("knee", False) else run.confirmed_knee()


def budget(limits: Limited) -> Budget:
    """Limits as the front knows them.

    Raises:
        UserError: one is out of bounds.
    """
    return spec.constraints(limits).budget()


def evaluate(model: Path, **on: Unpack[Evaluating]) -> Evaluation:
    """Accuracy, parameters, MACs, size and latency of an exported file.

    The images of a folder, or of an `.npz` file, get the size that the model takes, unless another is asked
    for. With the split `all` every image of a folder is scored, whatever splits it has and however few there
    are; classes may be missing.

    Raises:
        UserError: the file or the data set is not there, or the one was not made for the other.
    """
    refuse_unknown(on, Evaluating.__annotations__)
    from gnap_search import datasets
    from gnap_search.export import evaluate as evaluated
    from gnap_search.export import made_for, side_of

    split = cast(SplitName, on.get("split", "test"))
    if split not in get_args(SplitName):
        raise UserError(f"Unknown split {split!r}; it should be train, validation, test or all.")
    dataset, size = str(on.get("dataset", request.DEFAULT_DATASET)), spec.image_size(on.get("image_size"))
    own = request.may_be_path(dataset)
    if split == "all" and own and datasets.folder(dataset) is not None:
        shape, classes = made_for(Path(model))
        return evaluated(Path(model), datasets.labelled(dataset, shape, classes), split)
    if size is None and own:
        size = side_of(Path(model))
    data = datasets.load(dataset, on.get("data_root"), image_size=size, download=on.get("download", True))
    return evaluated(Path(model), data, split)


def predict(
    model: Path, *pictures: Path, listener: Listener | None = None, **how: Unpack[Predicting]
) -> list[Prediction]:
    """The classes that pictures fit best by an exported file; a folder stands for all pictures in it.

    They are resized as a folder's images are for training. The listener hears what the file does not know,
    and which files of a folder are unreadable and so have no answer.

    Raises:
        UserError: the file or a picture that is named is missing or damaged, no picture is readable, or the
            file takes no pictures or does not say what it takes.
    """
    refuse_unknown(how, Predicting.__annotations__)
    from gnap_search import datasets
    from gnap_search.export import predict as predicted

    top = how.get("top", TOP)
    if top < 1:
        raise UserError(f"--top {top} should be above 0.")

    tell, named = (listener or Quiet()).message, [Path(place) for place in pictures]

    def read(picture: Path, shape: Shape) -> np.ndarray | None:
        try:
            image = datasets.read_pictures([picture], shape)
        except UserError as problem:
            if picture in named:
                raise
            tell(f"passed over: {problem}")
            return None
        return ~image if how.get("invert", False) else image

    found = list(predicted(Path(model), datasets.pictures(named), read, top, tell))
    if named and not found:
        raise UserError("None of these pictures is a readable image.")
    return found


def train(
    settings: Mapping[str, Value] | None = None,
    *,
    runs: Path = RUNS,
    listener: Listener | None = None,
    **asked: Unpack[Training],
) -> Trained:
    """One training in this process; `settings` are those of the method and of training.

    Raises:
        UserError: something that was asked for is wrong.
        TrialError: the training broke down.
    """
    refuse_unknown(asked, Training.__annotations__)
    from gnap_search import datasets, single

    plan = request.plan(settings or {}, asked)
    digest = hashlib.sha256(plan.to_json().encode()).hexdigest()[:8]  # each plan has a folder of its own
    folder = Path(runs) / "train" / f"{request.name(plan.dataset, plan.method)}-{digest}"
    directory = Path(asked.get("directory", folder))
    datasets.refuse_within(plan.dataset, directory, "--directory" if "directory" in asked else "--runs")

    def load() -> Data:
        return datasets.load(
            plan.dataset,
            asked.get("data_root"),
            image_size=plan.image_size,
            training_images=plan.training_images,
            validation_images=plan.validation_images,
            download=asked.get("download", True),
        )

    return single.train(plan, load, directory, asked.get("device", "cpu"), listener or Quiet())


def listing() -> dict[str, list[Entry]]:
    """Heading -> what the catalog has of that kind; `gnap_search.list` is this function."""
    return entries.everything()


def copy(name: str, file: Path | None = None) -> Path:
    """Copy a bundled study or search space for editing, by default to where the name then finds it.

    Raises:
        UserError: there is none of that name, or the file exists.
    """
    kinds = [kind for kind in catalog.FILES if name in catalog.names(kind)]
    if not kinds:
        known = [known for kind in catalog.FILES for known in catalog.names(kind)]
        raise UserError(f"Unknown study or search space {name!r}; {nearest(name, known)}")
    target = Path(file) if file else Path(kinds[0]) / f"{name}.toml"
    if target.exists():
        raise UserError(f"{target} exists; move it away, or name another file.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(catalog.file(kinds[0], name), target)
    except OSError as problem:
        raise UserError(f"Cannot write {target}: {problem.strerror}.") from None
    return target


def check(file: Path) -> spec.Study | spec.SpaceFile:
    """What a study's or a search space's file amounts to.

    Raises:
        UserError: something in it is wrong; the file and the key are named.
    """
    return request.read(Path(file))


def _meant(front: Front, wanted: Confirming) -> list[Point]:
    """The points that are to be confirmed."""
    limits = budget(wanted)
    if "point" not in wanted:
        return front.all_within(limits)
    if limits != Budget():
        raise UserError("Choose points by --point or by limits, and not by both.")
    return [front.find(wanted["point"])]


def _meant_network(run: Run, wanted: Exporting, listener: Listener) -> Refitted:
    """The network that is to be exported: a front point's own, or what training it once more makes of it."""
    from gnap_search.refit import Refitted, refit
    from gnap_search.structure import model

    point, data = pick(run, wanted), _data(run, wanted)
    run.refuse_other_data(data.digest)
    if not wanted.get("refit", False):
        classifier, notes = model.load(run.model(point))
        return Refitted(classifier, data, {**notes, **run.notes(point)}, run.provenance(point))
    limits = budget(wanted)
    others = run.front().all_within(limits) if limits != Budget() else []
    points = [point, *sorted(others, key=lambda other: -other.validation_accuracy)]
    return refit(run, points, data, limits, listener)


def _search(
    study: spec.Study,
    folder: Path,
    launch: spec.Launch,
    listener: Listener | None,
    load: Load,
    sources: Sources,
    *,
    extend: bool = False,
) -> Outcome:
    from gnap_search import datasets
    from gnap_search.search import launch as launching

    _refuse_unwritable(study.to_toml() + launch.to_toml())
    datasets.refuse_within(study.dataset, folder, "--runs")
    return launching.run(study, folder, launch, listener or Quiet(), load, sources, extend=extend)


def _refuse_unwritable(text: str) -> None:
    """A folder's name that is not UTF-8 can stand in no file of a study."""
    for line in text.split("\n"):
        try:
            line.encode()
        except UnicodeEncodeError:
            raise UserError(f"{line} is not UTF-8, and a study's files are; rename the folder.") from None


def _sources(asked: Beginning, runs: Path) -> Sources:
    from gnap_search.search.given import Sources

    study, file = asked.get("from_study"), asked.get("enqueue")
    if study is not None and (folder := _published(str(study), runs)) is not None:
        raise UserError(
            f"--from-study {study} is a published front, which holds no trials to learn from; "
            f"`--enqueue {folder / 'trials.toml'}` trains its configurations first."
        )
    return Sources(
        study=None if study is None else folders.find_anywhere(runs, str(study)),
        file=None if file is None else Path(file),
    )


def _data(run: Run, elsewhere: Located) -> Data:
    """The data of a study, from where they are said to lie now, or else from where it had them last."""
    where = {key: value for key, value in elsewhere.items() if key in Located.__annotations__}
    return _finding(run, elsewhere)(run.study, run.launch.model_copy(update=where))


def _finding(run: Run, elsewhere: Located) -> Load:
    """What loads the data of a study that exists: its images may have been moved."""
    return functools.partial(_load, moved=_moved(run, elsewhere))


def _moved(run: Run, elsewhere: Located) -> Path | None:
    """Where a study's folder or file of images lies now, if it was moved.

    What is told now counts. What the last launch was told counts only where the images are gone: before
    folders could be moved, it said nothing of them.

    Raises:
        UserError: they are gone, and nothing tells where to.
    """
    from gnap_search import datasets

    named, told = run.study.dataset, elsewhere.get("data_root")
    if not request.may_be_path(named):
        return None
    if told is None and datasets.place(named) is None:
        told = run.launch.data_root
        if told is None:
            raise UserError(
                f"There is no {datasets.kind(named)} {named} any more, and study {run.name!r} is on its "
                "images; name where they lie now with --data-root."
            )
    return None if told is None else Path(told)


def _load(study: spec.Study, launch: spec.Launch, moved: Path | None = None) -> Data:
    from gnap_search import datasets

    return datasets.load(
        study.dataset,
        launch.data_root,
        moved=moved,
        image_size=study.image_size,
        training_images=study.training_images,
        validation_images=study.validation_images,
        download=launch.download,
    )
