"""Publication: a study's front as a folder that anybody can check.

DIRECTORY/front.json   what was asked, on what it ran, what each point is worth, and every other file's digest
          front.csv    the points as a table
          trials.toml  the trainings, for `python -m gnap_search.training`
          study.toml   the study, for `gnap-search pareto --from`, where it was a search
          3509-trial1-epoch14.onnx   a point's network, named after its parameters
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.export import Exported, Original
from gnap_search.front import Budget
from gnap_search.reference import OF_A_TRAINING, RECORD
from gnap_search.repeats import Repeated, repeated
from gnap_search.report import record, repetition
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.search.lock import refuse_if_at_work
from gnap_search.structure import model

TABLE, TRIALS, STUDY = "front.csv", "trials.toml", "study.toml"
ENVIRONMENT = ("processor", "processors", "device", "python", "versions")


def publish(run: Run, load: Callable[[], Data], budget: Budget, directory: Path) -> list[Exported]:
    """Write the points that meet the budget, each network as ONNX, read back and compared, and the record.

    Either everything is written or nothing. A point that has no test accuracy is scored, and that is kept in
    the study.

    Returns:
        The files of the networks, from the smallest to the largest.

    Raises:
        UserError: no point meets the budget, the study is at work, its data are others, a network is gone or
            does not come through its file unchanged, or the directory cannot be written or holds anything
            but an earlier publication.
    """
    points = run.front().all_within(budget)
    refuse_if_at_work(run.folder)
    _refuse_other_content(directory)
    data = load()
    run.refuse_other_data(data.digest)
    with _replacing(directory) as draft:
        exported = [_export(run, point, data, draft) for point in points]
        told = [_point(run, point, file) for point, file in zip(points, exported, strict=True)]
        texts = _write_texts(run, told, draft)
        about = {
            **_shared(run, data, budget),
            "hypervolume": run.front().of(points).hypervolume(),
            "points": told,
            "configurations": [_means(one) for one in repeated(run.results) if one.seeds > 1],
            "files": [_digest(path) for path in texts],
        }
        (draft / RECORD).write_text(json.dumps(about, indent=1) + "\n")
    return [dataclasses.replace(file, path=directory / file.path.name) for file in exported]


def _export(run: Run, point: Point, data: Data, draft: Path) -> Exported:
    classifier, notes = model.load(run.model(point))
    original = Original(classifier, data)
    accuracy = run.test_accuracies.get(point.id)
    if accuracy is None:
        accuracy = original.test_accuracy
        with contextlib.suppress(OSError):  # a study that can only be read is published all the same
            run.keep_test_accuracies({**run.test_accuracies, point.id: accuracy})
    name = f"{point.parameters}-trial{point.trial}-epoch{point.epoch}.onnx"
    return original.write("onnx", draft / name, {**notes, **run.notes(point), "test_accuracy": accuracy})


def _write_texts(run: Run, points: Sequence[Mapping[str, Any]], draft: Path) -> list[Path]:
    """The files that people and programs read, and repeat the study by."""
    trials = {entry["trial"] for entry in (*points, *run.results)}
    texts = {
        TABLE: record.points_as_csv(points),
        TRIALS: repetition.as_they_were(run, sorted(trials), TRIALS),
    }
    if run.searched:
        texts[STUDY] = repetition.whole_study(run)
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8")
    return [draft / name for name in texts]


def _shared(run: Run, data: Data, budget: Budget) -> dict[str, Any]:
    """What all points have in common."""
    study = run.study
    search = [f"gnap-search pareto --from {STUDY} --study {run.name}"] if run.searched else []
    return {
        "study": run.name,
        "dataset": study.dataset,
        "data_digest": data.digest,
        "image_size": study.image_size,
        "training_images": study.training_images,
        "validation_images": study.validation_images,
        "augmentation": list(data.augmentation if study.augmentation is None else study.augmentation),
        "method": study.method,
        "network": study.network,
        "task": study.task,
        "objectives": list(study.objectives),
        "trials": study.trials,
        "epochs": study.epochs,
        "limits": {name: limit for name, limit in vars(budget).items() if limit is not None},
        "commands": [*search, repetition.command(TRIALS, run)],
        "environments": _environments(run),
    }


def _environments(run: Run) -> list[dict[str, Any]]:
    """On what the trainings ran, each environment once."""
    if run.searched:
        device = "cuda" if run.launch.gpus_per_trial else "cpu"
        return [_environment({**run.environment, "device": device})]
    found: list[dict[str, Any]] = []
    for result in run.results:
        environment = _environment(result)
        if environment not in found:
            found.append(environment)
    return found


def _environment(told: Mapping[str, Any]) -> dict[str, Any]:
    known = {**told.get("machine", {}), **told}
    return {key: known[key] for key in ENVIRONMENT if key in known}


def _point(run: Run, point: Point, file: Exported) -> dict[str, Any]:
    plan, confirmed = run.plan(point.trial), run.confirmed.get(point.id)
    return {
        **point.told(file.notes["test_accuracy"]),
        "confirmed": confirmed.told() if confirmed else None,
        "seed": plan["seed"],
        "config": plan["settings"],
        "model": {
            **_digest(file.path),
            "parameters": file.cost.parameters,
            "test_accuracy": file.test_accuracy,
        },
    }


def _digest(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _means(configuration: Repeated) -> dict[str, Any]:
    """Over its seeds, each with the sample's standard deviation."""
    return {
        "config": configuration.settings,
        "trials": configuration.of_each("trial"),
        "seeds": configuration.of_each("seed"),
        **{key: configuration.spread(key).told() for key in OF_A_TRAINING},
    }


def _refuse_other_content(directory: Path) -> None:
    """A directory is replaced as a whole, so there may be nothing else in it."""
    for place in (directory, _nearest(directory)):
        if place.exists() and not place.is_dir():
            raise UserError(f"{place} is a file; name another folder for what is published.")
    foreign = sorted({path.name for path in directory.glob("*")} - _published(directory))
    if foreign:
        raise UserError(
            f"{directory} holds {foreign[0]}, which is no part of a published front; name another folder."
        )


def _published(directory: Path) -> set[str]:
    """The files of an earlier publication, by its own record."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads((directory / RECORD).read_text())
        return {
            RECORD,
            *(one["file"] for one in [*told["files"], *(each["model"] for each in told["points"])]),
        }
    return set()


@contextlib.contextmanager
def _replacing(directory: Path) -> Iterator[Path]:
    """An empty folder, which takes the directory's place once all is in it."""
    try:
        with tempfile.TemporaryDirectory(dir=_nearest(directory), prefix=".draft-") as place:
            draft = Path(place, "draft")
            draft.mkdir()  # the place itself is for nobody else's eyes, and would stay so
            yield draft
            directory.parent.mkdir(parents=True, exist_ok=True)
            _exchange(directory, draft, former=Path(place, "former"))
    except OSError as problem:
        raise UserError(f"Cannot write {directory}: {problem.strerror}.") from None


def _exchange(directory: Path, draft: Path, former: Path) -> None:
    """Put the draft in the directory's place; when that fails, the former one stays."""
    if directory.exists():
        os.replace(directory, former)
    try:
        os.replace(draft, directory)
    except OSError:
        if former.exists():
            os.replace(former, directory)
        raise


def _nearest(directory: Path) -> Path:
    """The nearest of its parents that exists: what is made there can be moved into its place."""
    return next(parent for parent in directory.absolute().parents if parent.exists())
