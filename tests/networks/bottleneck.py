"""Bottleneck: a residual network with two groups in each block, so small that tests have time for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gnap_search import catalog
from gnap_search.networks import _residual

NAME = "small-bottleneck"
ARCHITECTURE = _residual.Architecture(streams=(16, 32), blocks=2, kernels=(1, 3, 1), expansion=4, stem=8)
MODULE = SimpleNamespace(
    OPTIONAL=ARCHITECTURE.optional, seed_widths=ARCHITECTURE.seed_widths, build=ARCHITECTURE.build
)


@contextlib.contextmanager
def known() -> Iterator[str]:
    """The name by which the catalog has the network as long as this lasts."""
    catalogued = catalog.implementation

    def implementation(kind: str, name: str) -> Any:
        return MODULE if name == NAME else catalogued(kind, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "implementation", implementation)
        yield NAME
