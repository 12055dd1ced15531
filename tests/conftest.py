"""What all tests share: one Ray for the whole session, started only where a test asks for it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import pytest

from gnap_search.contracts import Data, Split


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
