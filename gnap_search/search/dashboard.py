"""Dashboard: optuna-dashboard on copies of a study, so that nobody who looks at it can lock or change it.

The study's storage is opened for reading alone. Every few seconds what has changed is read, and a copy in
memory takes the place of the one before. What somebody writes into the dashboard is lost with its copy.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socketserver
import sqlite3
import threading
import time
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.storages import InMemoryStorage, RDBStorage
from sqlalchemy import exc as sql
from sqlalchemy.pool import NullPool

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.runs import Run, found_by
from gnap_search.search import storage

PAUSE, IDLE = 3.0, 10  # seconds between two copies at least, and how many times what a copy takes
CONSTRAINTS = "constraints"  # where optuna-dashboard 0.21 looks for what Optuna 5 keeps one by one


def refuse_missing() -> None:
    """See that optuna-dashboard is installed.

    Raises:
        UserError: it is not.
    """
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise UserError("The dashboard is not installed; get it by: pip install 'gnap-search[dashboard]'")


@contextlib.contextmanager
def serving(run: Run, host: str, port: int) -> Iterator[str]:
    """A dashboard at work until the block ends; port 0 takes any that is free.

    Yields:
        The address to look at.

    Raises:
        UserError: the storage cannot be read, or the port is not free.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or every copy would be told
    source = _Source(run)
    server = _listening(host, port, source.application())
    threads = [
        threading.Thread(target=source.follow, args=(server,), daemon=True),
        threading.Thread(target=server.serve_forever, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield f"http://{host}:{server.server_port}/dashboard/studies/0"
    finally:
        source.over.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()


class _Source:
    """A study's storage, to be read alone."""

    def __init__(self, run: Run) -> None:
        self.over = threading.Event()
        self._name = run.name
        self._storage = _reading(run)
        try:
            with _in_a_sentence(run):
                name = storage.name_in(self._storage, run.folder, run.launch.storage)
                self._study = optuna.load_study(study_name=name, storage=self._storage)
        except KeyError:
            if run.with_folder():
                raise storage.lost(run, self._storage) from None
            raise UserError(
                f"Study {run.name!r} has not come to its first trial yet; look again soon."
            ) from None

    def application(self) -> Any:
        """The dashboard on the study as it is now."""
        from optuna_dashboard import wsgi

        return wsgi(_copy(self._study))

    def follow(self, server: WSGIServer) -> None:
        """Replace what the server shows by newer copies; one that cannot be read now is read later."""
        pause = PAUSE
        while not self.over.wait(pause):
            begin = time.monotonic()
            with contextlib.suppress(sql.DBAPIError, optuna.exceptions.StorageInternalError):
                server.set_app(self.application())
            pause = max(PAUSE, IDLE * (time.monotonic() - begin))
        self._storage.remove_session()


def _copy(study: optuna.Study) -> InMemoryStorage:
    """The study in memory, with its objectives' names and what its trials are past their limits."""
    memory = InMemoryStorage()
    number = memory.create_new_study(study.directions, study.study_name)
    for name, value in study.user_attrs.items():
        memory.set_study_user_attr(number, name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        names = study.metric_names or []
        optuna.load_study(study_name=study.study_name, storage=memory).set_metric_names(names)
    for trial in study.get_trials(deepcopy=True):
        if trial.constraints:
            trial.system_attrs[CONSTRAINTS] = list(trial.constraints.values())
        memory.create_new_trial(number, template_trial=trial)
    return memory


def _reading(run: Run) -> RDBStorage:
    """A study's storage, so opened that the database itself refuses to be written."""
    address = run.launch.storage or storage.own(run.folder)
    file = spec.sqlite_file(address)
    if file is not None:
        return _reading_sqlite(run, file)
    if not address.startswith("postgresql"):
        raise UserError(
            f"The dashboard reads studies in SQLite and PostgreSQL, and {run.name} is in "
            f"{spec.without_password(address)}; gnap-search report shows it."
        )
    only_reading = {"options": "-c default_transaction_read_only=on"}
    with _in_a_sentence(run):
        arguments = {"connect_args": only_reading, "poolclass": NullPool}
        return RDBStorage(address, engine_kwargs=arguments, skip_table_creation=True)


def _reading_sqlite(run: Run, file: Path) -> RDBStorage:
    if not file.is_file():
        told = (
            "has no trials to look at yet"
            if run.searched
            else "was not searched, and Optuna knows nothing of it"
        )
        raise UserError(f"Study {run.name!r} {told}; gnap-search report shows what a study has.")
    address = f"file:{urllib.parse.quote(str(file.absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=storage.PATIENCE, check_same_thread=False)

    with _in_a_sentence(run):
        arguments = {"creator": connect, "poolclass": NullPool}
        return RDBStorage("sqlite://", engine_kwargs=arguments, skip_table_creation=True)


@contextlib.contextmanager
def _in_a_sentence(run: Run) -> Iterator[None]:
    try:
        yield
    except (sql.DBAPIError, RuntimeError, optuna.exceptions.StorageInternalError) as problem:
        cause = storage.first_line(problem.__cause__ or problem)
        raise UserError(
            f"The trials of {run.name} cannot be read: {cause}; "
            f"`gnap-search resume {found_by(run.folder)}` mends what a crash left half written."
        ) from None


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a request, none of which outlives the program."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Requests are not told one by one."""

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


def _listening(host: str, port: int, application: Any) -> WSGIServer:
    try:
        return make_server(host, port, application, server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(
            f"Nothing can be served at {host}:{port} ({reason}); take another --port or --host."
        ) from None
