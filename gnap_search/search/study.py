"""Study: the durable state in a run folder, opened by one driver at a time if nothing speaks against it."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna

from gnap_search import environment, files, spec
from gnap_search.errors import UserError
from gnap_search.runs import Run, found_by, is_run
from gnap_search.search import storage
from gnap_search.search.given import Given
from gnap_search.search.ledger import Ledger
from gnap_search.search.lock import DriverLock, refuse_if_driven


def refuse_conflicts(
    study: spec.Study, folder: Path, launch: spec.Launch, digest: str, *, extend: bool
) -> None:
    """Compare a study and its data's digest with what its folder holds already; nothing is written.

    Raises:
        UserError: another driver is at work there, or the folder's study is a different one.
    """
    if not is_run(folder):
        _refuse_unwritable(folder)
        return
    Run(folder).refuse_unsearched()
    refuse_if_driven(folder)
    _refuse_other_storage(Run(folder), launch)
    kept = Run(folder).study
    if kept.images == study.images:  # other ranges and epochs would only follow from other data
        _refuse_other_data(folder, digest)
    differences = kept.differences(study)
    if extend and study.trials >= kept.trials:
        differences.pop("trials", None)
    if not differences:
        return
    name = folder.name
    if list(differences) == ["trials"] and extend:
        raise UserError(f"Study {name!r} has {kept.trials} trials already, and {study.trials} are fewer.")
    if list(differences) == ["trials"] and study.trials > kept.trials:
        way = f"extend it with `gnap-search resume {found_by(folder)} --trials +{study.trials - kept.trials}`"
    else:
        way = "ask the same again, or give the new study another name with --study"
    told = [f"{key} {_shown(mine)}, not {_shown(theirs)}" for key, (mine, theirs) in differences.items()]
    raise UserError(f"Study {name!r} exists and has {', '.join(told)}; {way}.")


@contextlib.contextmanager
def opened(
    study: spec.Study, folder: Path, launch: spec.Launch, digest: str, given: Given = Given()
) -> Iterator[Ledger]:
    """Create or open a study and hold its lock; `digest` is that of the data, `given` is new or kept already.

    Raises:
        UserError: the data or the storage are not those that the study began with, another driver is at work,
            or the folder cannot be written.
    """
    exists = is_run(folder)
    if exists:
        _refuse_other_data(folder, digest)
        storage.refuse_missing(folder, launch.storage)
    if launch.storage or (folder / "study.db").is_file():
        _refuse_other_trials(folder, launch.storage, exists=exists)
    with storage.told_in_a_sentence(folder, f"`gnap-search resume {found_by(folder)}`"):
        _make(folder)
        with DriverLock(folder):
            held = storage.connect(folder, launch.storage)
            try:
                trials = storage.study(held, storage.name_in(held, folder, launch.storage), study.costs)
                _keep_environment(folder, digest)
                if launch.storage and not exists:
                    _claim(trials, folder)
                given = Given.read(folder).and_more(given)
                if given != Given():
                    given.keep(folder)
                _keep_descriptions(study, folder, launch)
                yield Ledger(trials, held, study, given)
            finally:
                held.remove_session()


def _keep_environment(folder: Path, digest: str) -> None:
    """Write on what the run began, if that has not been done."""
    if not (folder / "environment.json").exists():
        files.replace(folder / "environment.json", json.dumps(_environment(digest), indent=1))


def _claim(trials: optuna.Study, folder: Path) -> None:
    """Have a new study of a storage for this folder alone: another may have made it, with no trial yet."""
    run = str(Run(folder).environment.get("run", ""))
    if trials.user_attrs.setdefault("run", run) != run:
        raise UserError(f"The storage holds another study named {folder.name!r}; take another --study.")
    trials.set_user_attr("run", run)


def _keep_descriptions(study: spec.Study, folder: Path, launch: spec.Launch) -> None:
    """Write what describes the run; study.toml comes last, because a folder is a run when it has one."""
    files.replace(folder / "launch.toml", launch.to_toml())
    files.replace(folder / "study.toml", study.to_toml())


def _environment(digest: str) -> dict[str, Any]:
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "run": secrets.token_hex(8),
        "data_digest": digest,
        **environment.record(),
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:  # what a file system says that takes no folders, /proc for one
        raise UserError(f"{folder} cannot be made; choose another place with --runs.") from None


def _refuse_unwritable(folder: Path) -> None:
    """Look for the nearest folder that exists; it must be one, and writable."""
    nearest = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
    if not nearest.is_dir():
        raise UserError(f"{nearest} is not a folder; choose another place with --runs.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest} cannot be written; choose another place with --runs.")


def _refuse_other_data(folder: Path, digest: str) -> None:
    try:
        kept = str(json.loads((folder / "environment.json").read_text())["data_digest"])
    except (OSError, ValueError, KeyError, TypeError):  # it is for people; a study can do without
        return
    if kept != digest:
        raise UserError(
            f"Study {folder.name!r} began with other data (digest {kept[:12]}, now {digest[:12]}); "
            "give the same data, or begin another --study."
        )


def _refuse_other_storage(run: Run, launch: spec.Launch) -> None:
    kept, asked = (url and spec.from_anywhere(url) for url in (run.launch.storage, launch.storage))
    if kept != asked:
        kept = spec.without_password(kept) if kept else "its own study.db"
        raise UserError(f"Study {run.name!r} keeps its trials in {kept}; give the same --storage as then.")


def _refuse_other_trials(folder: Path, url: str | None, *, exists: bool) -> None:
    """A storage may be shared by many folders: the study in it must be this folder's own."""
    held = storage.connect(folder, url)
    try:
        name = storage.name_in(held, folder, url)
        present = name in storage.study_names(held)
        if present and not exists:
            raise UserError(f"The storage holds another study named {name!r}; take another --study.")
        if not present and exists and Run(folder).with_folder():
            raise storage.lost(Run(folder), held)
    finally:
        held.remove_session()


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
