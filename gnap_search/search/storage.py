"""Storage: where Optuna keeps a study's trials; SQLite in the run folder, or any URL that it understands."""

from __future__ import annotations

import contextlib
import errno
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy import URL
from sqlalchemy import exc as sql

from gnap_search import errors, spec
from gnap_search.errors import UserError
from gnap_search.runs import Run

PATIENCE = 60  # seconds that a writer waits for SQLite's lock
TRIES, PAUSE = 5, 0.2  # to open a database that somebody else is making, and seconds between two
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR)
LOGGERS = ("optuna", "alembic", "sqlalchemy")


def connect(folder: Path, url: str | None) -> RDBStorage:
    """Open a study's storage.

    Raises:
        UserError: the URL is not one, its driver is not installed, or nobody answers there.
    """
    address = url or own(folder)
    lite = address.startswith("sqlite")
    arguments = {"connect_args": {"timeout": PATIENCE}} if lite else {"pool_pre_ping": True}
    try:
        return _made_or_found(address, arguments)
    except (ImportError, ValueError, sql.ArgumentError, sql.NoSuchModuleError) as problem:
        # What could not be read as a number may be a part of the password.
        reason = "its port is no number" if isinstance(problem, ValueError) else first_line(problem)
        raise UserError(
            f"--storage {spec.without_password(address)} cannot be used ({reason}); it should look like "
            "postgresql+psycopg://user@host/database, with its driver installed."
        ) from None
    except (sql.DBAPIError, RuntimeError) as problem:
        raise UserError(
            f"The storage {spec.without_password(address)} cannot be opened: {first_line(problem)}."
        ) from None


def _made_or_found(address: str, arguments: dict[str, Any]) -> RDBStorage:
    """A database with Optuna's tables; another process may be about to make the same ones."""
    for _ in range(TRIES - 1):
        try:
            return RDBStorage(address, engine_kwargs=arguments)
        except sql.DBAPIError as problem:
            said = str(problem.orig).lower()
            made = "already exists" in said or "duplicate" in said
            if not made and not isinstance(problem, sql.IntegrityError):
                raise
            time.sleep(PAUSE)
    return RDBStorage(address, engine_kwargs=arguments)


def own(folder: Path) -> str:
    """The URL of the database in a run folder, whatever the folder is called."""
    return URL.create("sqlite", database=str((folder / "study.db").absolute())).render_as_string()


def refuse_missing(folder: Path, url: str | None) -> None:
    """See that a study that has begun still has its database: to connect would make an empty one.

    Raises:
        UserError: the file of it is gone.
    """
    file = spec.sqlite_file(url or own(folder))
    if file is not None and not file.is_file():
        gone = file.absolute() if url else file.name
        raise UserError(f"Study {folder.name!r} has lost its {gone}; restore it, or take another --study.")


def name_in(held: RDBStorage, folder: Path, url: str | None) -> str:
    """The name that the study of a folder has in its storage.

    A database in the folder holds one study alone, under the name that the folder had when it began.
    """
    names = optuna.get_all_study_names(held) if url is None else []
    return names[0] if len(names) == 1 else folder.name


def lost(run: Run, held: RDBStorage) -> UserError:
    """What to say where a run has trained, and its storage has no trials under its name."""
    mark = run.environment.get("run")
    summaries = optuna.get_all_study_summaries(held, include_best_trial=False)
    began_as = [one.study_name for one in summaries if mark and one.user_attrs.get("run") == mark]
    if began_as and run.name not in began_as:
        return UserError(
            f"Study {run.name!r} was named {began_as[0]!r} when it began, and its storage keeps its trials "
            "under that name; give the folder that name again."
        )
    return UserError(f"The storage has lost the trials of {run.name!r}; restore it, or take another --study.")


def study_names(storage: RDBStorage) -> list[str]:
    """The studies that have at least one trial."""
    found = optuna.get_all_study_summaries(storage)
    return [summary.study_name for summary in found if summary.n_trials]


def study(storage: RDBStorage, name: str, costs: Sequence[str] = ("parameters",)) -> optuna.Study:
    """The study of that name, created where there is none; `costs` are what it wants small.

    Raises:
        UserError: there is one that pursues something else.
    """
    directions = directed(costs)
    metrics = ["validation_accuracy", *(f"log10_{cost}" for cost in costs)]
    trials = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    if trials.directions != directions:
        raise UserError(f"The storage holds a study {name!r} with other objectives; take another --study.")
    if trials.metric_names != metrics:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trials.set_metric_names(metrics)
    return trials


def directed(costs: Sequence[str]) -> list[StudyDirection]:
    """Accuracy upwards, and each cost downwards."""
    return [StudyDirection.MAXIMIZE, *(StudyDirection.MINIMIZE for _ in costs)]


@contextlib.contextmanager
def told_in_a_sentence(folder: Path, way_on: str) -> Iterator[None]:
    """Turn a full disk, a folder that cannot be written, or a storage that went away into a sentence.

    `way_on` says what goes on with the work when that is mended.

    Raises:
        UserError: that happened.
    """
    try:
        yield
    except (OSError, optuna.exceptions.StorageInternalError, sql.DBAPIError) as problem:
        if isinstance(problem, OSError) and problem.errno not in UNWRITABLE:
            raise
        cause = problem.__cause__ or problem
        raise UserError(
            f"Study {folder.name!r} cannot write in {folder}: {first_line(cause)}; "
            f"mend that, and go on with {way_on}."
        ) from problem


@contextlib.contextmanager
def silence(*others: str) -> Iterator[None]:
    """Keep Optuna, what it is built on, and all warnings off the user's terminal, and `others` that log."""
    loggers = [logging.getLogger(name) for name in (*LOGGERS, *others)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


def first_line(problem: BaseException) -> str:
    """What a database says of a problem, without where it says it."""
    return errors.first_line(getattr(problem, "orig", None) or problem)
