"""Every published front is whole, small, and worth what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gnap_search import datasets
from tests.published.conftest import check_files, check_record, check_score, check_trials, record

PUBLISHED = Path(__file__).parents[2] / "studies" / "published"
FOLDERS = sorted(path for path in PUBLISHED.glob("*") if path.is_dir())
MOST_BYTES = 6_000_000  # of all of them: a clone should stay small
BUNDLED, REAL = "digits", ("mnist", "cifar10")

# What is published belongs to the repository alone: an unpacked wheel or archive may come without it.
pytestmark = pytest.mark.skipif(not FOLDERS, reason="no front is published")
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@every_folder
def test_a_published_front_is_whole(folder: Path) -> None:
    check_record(folder)
    check_files(folder)
    check_trials(folder)


def test_all_of_them_are_small() -> None:
    assert sum(path.stat().st_size for path in PUBLISHED.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.slow
@every_folder
def test_a_published_network_is_worth_what_is_said(folder: Path) -> None:
    told = record(folder)
    name, size, count = told["dataset"], told["image_size"], told["training_images"]
    chosen_by = told.get("validation_images")
    root = os.environ.get("GNAP_SEARCH_TEST_DATA")
    if name != BUNDLED and (root is None or name not in REAL):
        pytest.skip(f"GNAP_SEARCH_TEST_DATA names no folder with the images of {name}")
    place = Path(root or ".")
    data = datasets.load(
        name, place, image_size=size, training_images=count, validation_images=chosen_by, download=False
    )
    check_score(folder, data)
