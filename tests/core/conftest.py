"""Points, and folders of runs that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnap_search.results import Point

MakePoint = Callable[..., Point]


def _point(trial: int, epoch: int, parameters: int, accuracy: float) -> Point:
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
        phase="growing",
        widths={"first": 4},
        seconds=0.5,
    )


@pytest.fixture(scope="session")
def make_point() -> MakePoint:
    """Trial, epoch, parameters and validation accuracy -> a point."""
    return _point


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
