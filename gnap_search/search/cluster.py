"""Cluster: Ray, started in silence and left without a trace."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from gnap_search import spec
from gnap_search.errors import UserError
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


@contextlib.contextmanager
def running(launch: spec.Launch, resources: Resources, scratch: Path) -> Iterator[Resources]:
    """Join a cluster, or start one here that ends with this block; what it has in all.

    A Ray that this process uses already is used, and left as it is. Ray's own files go to `scratch`.

    Raises:
        UserError: no cluster answers at the launch's address.
    """
    os.environ.update({**ENVIRONMENT, **WORKERS})
    if launch.address is not None:
        _knock(launch.address)
    import ray

    if ray.is_initialized():
        yield _available()
        return
    try:
        _start(launch, resources, scratch)
        yield _available()
    finally:
        ray.shutdown()


@contextlib.contextmanager
def silence(*, verbose: bool) -> Iterator[None]:
    """Keep Ray, Optuna and their warnings off the user's terminal, unless asked for."""
    if verbose:
        yield
        return
    import optuna

    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "optuna", "alembic", "sqlalchemy")]
    before = [logger.level for logger in loggers], optuna.logging.get_verbosity()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings(), _no_obituaries():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, before[0], strict=True):
                logger.setLevel(level)
            optuna.logging.set_verbosity(before[1])


@contextlib.contextmanager
def _no_obituaries() -> Iterator[None]:
    """Ray prints a page for every worker that dies, whatever `log_to_driver` says; it has no other switch."""
    from ray._private import worker

    name = "print_to_stdstream"
    before = getattr(worker, name, None)
    if before is None:  # another version of Ray
        yield
        return
    setattr(worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(worker, name, before)


def _start(launch: spec.Launch, resources: Resources, scratch: Path) -> None:
    import ray

    level = logging.INFO if launch.verbose else logging.CRITICAL
    if launch.address is None:
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


def _available() -> Resources:
    import ray

    total = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray is annotated in part
    return Resources(total.get("CPU", 0), total.get("GPU", 0))


@contextlib.contextmanager
def scratch(owner: Path) -> Iterator[Path]:
    """A folder for Ray's logs, sockets and experiments, which goes with this block.

    Its name follows from the `owner`, a run folder that this process has locked, so that what a killed driver
    left there is removed by the next one.
    """
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) < LONGEST else "/tmp")  # noqa: S108 (the names of sockets must be short)
    name = hashlib.sha256(f"{os.getuid()} {owner.absolute()}".encode()).hexdigest()[:12]
    folder = place / f"gnap-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:  # somebody else's
        folder = Path(tempfile.mkdtemp(prefix="gnap-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
