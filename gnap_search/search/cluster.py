"""Cluster: Ray, started in silence and left without a trace."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.search import nodes
from gnap_search.search.resources import Resources

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0 the only way in which Tune prints nothing
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",  # the searcher itself hands out as many as there are workers
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nothing of Tune's own state is ever read back
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
WORKERS = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that spin cost other trials their processors
LONGEST = 30  # characters of a temporary folder: the names of Ray's sockets end at 107


Started = Callable[[], tuple[Sequence[Resources], Path]]


@contextlib.contextmanager
def starting(launch: spec.Launch, resources: Resources, owner: Path, *, ahead: bool) -> Iterator[Started]:
    """Ray for a study: started beside what this block does, if `ahead`, or else when it is first asked for.

    Asking waits until it runs, and tells what its nodes have and its folder for scratch. It ends with the
    block.

    Raises:
        UserError: no cluster answers at the launch's address; it is raised where Ray is asked for.
    """
    # Two threads that import parts of Ray at once find half of its modules. Until Ray is asked for, only the
    # thread beside may. The kernel ends Ray's processes with the thread that started them, so it goes last.
    import ray  # noqa: F401 (see above)

    with ThreadPoolExecutor(1) as beside, contextlib.ExitStack() as ending:

        @functools.cache
        def start() -> tuple[Sequence[Resources], Path]:
            place = ending.enter_context(scratch(owner))
            return ending.enter_context(running(launch, resources, place)), place

        begun = [beside.submit(start)] if ahead else []
        try:
            yield begun[0].result if begun else start
        finally:
            futures.wait(begun)


@contextlib.contextmanager
def running(launch: spec.Launch, resources: Resources, scratch: Path) -> Iterator[Sequence[Resources]]:
    """Join a cluster, or start one here that ends with this block; what each of its nodes has.

    A Ray that this process uses already is used, and left as it is. Ray's own files go to `scratch`.

    Raises:
        UserError: no cluster answers at the launch's address.
    """
    os.environ.update({**ENVIRONMENT, **WORKERS})
    if launch.address is not None:
        _knock(launch.address)
    import ray

    if ray.is_initialized():
        yield nodes.living()
        return
    try:
        _start(launch, resources, scratch)
        with contextlib.nullcontext() if launch.address else _prepared_workers():
            yield nodes.living()
    finally:
        ray.shutdown()


@contextlib.contextmanager
def silence(*, verbose: bool) -> Iterator[None]:
    """Keep Ray, Optuna and their warnings off the user's terminal, unless asked for."""
    if verbose:
        yield
        return
    from gnap_search.search import storage

    with storage.silence("ray", "ray.tune"), _no_obituaries():
        yield


@contextlib.contextmanager
def _no_obituaries() -> Iterator[None]:
    """Ray prints a page for every worker that dies, whatever `log_to_driver` says; it has no other switch."""
    from ray._private import worker

    with _replaced(worker, "print_to_stdstream", lambda *_, **__: None):
        yield


@contextlib.contextmanager
def _prepared_workers() -> Iterator[None]:
    """Let trials have the worker processes that stand ready since Ray's start, and no new ones.

    They import what a trial needs when it comes, and not before: a worker that preloads is not idle for Ray,
    which starts another one beside it for a trial that comes meanwhile.

    Tune gives its workers environment variables, with which none of these fits. On this machine they inherit
    all of them anyway, but for one that is for another library.
    """
    from ray.tune.execution import class_cache

    with (
        _replaced(class_cache, "DEFAULT_ENV_VARS", {}),
        _replaced(class_cache, "ENV_VARS_TO_PROPAGATE", frozenset()),
    ):
        yield


@contextlib.contextmanager
def _without_onlookers() -> Iterator[None]:
    """Start no process that only looks on: the autoscaler's monitor, the logs' and the dashboard's server.

    Each takes a second of a processor while a study starts, and memory until it ends.
    """
    from ray._private.node import Node

    with contextlib.ExitStack() as kept_out:
        for start in ("start_monitor", "start_log_monitor", "start_api_server"):
            kept_out.enter_context(_replaced(Node, start, lambda *_, **__: None))
        yield


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Put a value in the place of one of Ray's own; in a version that has none, nothing happens."""
    before = getattr(owner, name, None)
    if before is None:
        yield
        return
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _start(launch: spec.Launch, resources: Resources, scratch: Path) -> None:
    import ray

    level = logging.INFO if launch.verbose else logging.CRITICAL
    if launch.address is None:
        with contextlib.nullcontext() if launch.verbose else _without_onlookers():
            ray.init(
                "local",  # whatever RAY_ADDRESS says
                num_cpus=int(resources.cpus),
                num_gpus=int(resources.gpus),
                include_dashboard=False,
                log_to_driver=launch.verbose,
                logging_level=level,
                _temp_dir=str(scratch),
            )
        return
    try:
        ray.init(
            launch.address,
            log_to_driver=launch.verbose,
            logging_level=level,
            runtime_env={"env_vars": WORKERS},
        )
    except (ConnectionError, ValueError, RuntimeError) as problem:
        raise _no_answer(launch.address, problem) from None


def _knock(address: str) -> None:
    """Find out at once what Ray would try for two minutes: whether anybody listens at a host and port."""
    if address.startswith("ray://"):
        raise UserError(
            f"--address {address} is Ray's client, which needs no node; "
            "call gnap-search on a node of the cluster, with --address HOST:PORT of its head, or auto."
        )
    host, colon, port = address.rpartition("/")[2].partition(":")
    if colon and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as problem:
            raise _no_answer(address, problem) from None


def _no_answer(address: str, problem: Exception) -> UserError:
    first = (str(problem).splitlines() or [""])[0]
    return UserError(
        f"No Ray cluster answers at --address {address} ({first}); "
        "start one with `ray start --head`, set RAY_AUTH_MODE=token if it has one, or leave the flag out."
    )


@contextlib.contextmanager
def scratch(owner: Path) -> Iterator[Path]:
    """A folder for Ray's logs, sockets and experiments, which goes with this block.

    Its name begins with what follows from the `owner`, a run folder, so that `sweep` finds it.
    """
    place, prefix = _scratches(owner)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(owner: Path, kept: Path) -> None:
    """Remove what killed drivers of a run folder left; `kept` is that of its driver, which has locked it."""
    place, prefix = _scratches(owner)
    for folder in place.glob(f"{prefix}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def _scratches(owner: Path) -> tuple[Path, str]:
    """Where the scratch folders of a run lie, and how their names begin."""
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) < LONGEST else "/tmp")  # noqa: S108 (the names of sockets must be short)
    name = hashlib.sha256(f"{os.getuid()} {owner.absolute()}".encode()).hexdigest()[:6]
    return place, f"gnap-{name}-"
