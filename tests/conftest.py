"""What all tests share: points, a few real digits, and one Ray, started where a test asks for it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from gnap_search.contracts import Data, Split
from gnap_search.results import Point

MakePoint = Callable[..., Point]
PROCESSES = 2
# Else Ray's workers wait for the tests of the other process.
os.environ.setdefault("RAY_worker_niceness", "0")
# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The whole suite takes two processes; whoever names tests, or says `-n`, decides alone."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if not (whole and config.pluginmanager.hasplugin("xdist")) or hasattr(config, "workerinput"):
        return
    if config.option.numprocesses is None and not config.option.usepdb:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # more threads would wait for those of the other one
        config.option.numprocesses, config.option.dist = PROCESSES, "loadgroup"
        config.option.loadscopereorder = False  # the order below is better


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What the processes take in turn: slow tests first, one by one, then the others, file by file.

    All that need Ray go to one process; so do the tests of a group that shares what is costly to make.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if "ray_session" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("ray"))
        elif not (item.get_closest_marker("slow") or item.get_closest_marker("xdist_group")):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_setup() -> None:
    """What a test draws is the same each time, alone or after others, so that a failure can be had again."""
    import torch

    torch.manual_seed(0)


def _point(trial: int, epoch: int, parameters: int, accuracy: float, phase: str = "growing") -> Point:
    return Point(
        trial=trial,
        epoch=epoch,
        parameters=parameters,
        weights=max(0, parameters - 10),
        macs=40 * parameters,
        live_macs=20 * parameters,
        validation_accuracy=accuracy,
        validation_loss=0.1,
        training_loss=0.1,
        learning_rate=3e-3,
        phase=phase,
        widths={"first": 4},
        seconds=0.5,
    )


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two processors of Ray, as a study starts it; studies that run meanwhile use it and leave it."""
    from gnap_search import spec
    from gnap_search.search import cluster
    from gnap_search.search.resources import Resources

    place = tmp_path_factory.getbasetemp() / "ray"
    os.environ["GNAP_SEARCH_TEST_SESSION"] = str(place)  # Ray's processes inherit it, and can be told by it
    with (
        cluster.silence(verbose=False),
        cluster.scratch(place) as scratch,
        cluster.running(spec.Launch(), Resources(cpus=2, gpus=0), scratch),
    ):
        yield


@pytest.fixture(scope="session")
def small_digits() -> Data:
    """Real digits, few enough that an epoch takes a moment."""
    from gnap_search import datasets

    digits = datasets.load("digits")

    def few(split: Split, count: int) -> Split:
        return Split(split.images[:count], split.labels[:count])

    return dataclasses.replace(digits, train=few(digits.train, 256), validation=few(digits.validation, 100))


@pytest.fixture(scope="session")
def few_digits(small_digits: Data) -> Data:
    """So few that an epoch has eight steps: for what is trained with every method."""
    train = small_digits.train
    return dataclasses.replace(small_digits, train=Split(train.images[:128], train.labels[:128]))


@pytest.fixture(scope="module")
def bottleneck() -> Iterator[str]:
    """The name of a small network whose blocks have two groups each."""
    from tests.networks import bottleneck

    with bottleneck.known() as name:
        yield name


@pytest.fixture(scope="session")
def make_point() -> MakePoint:
    """Trial, epoch, parameters and validation accuracy -> a point."""
    return _point
