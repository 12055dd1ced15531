"""A front that has learnt nothing is known by it, and users are told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gnap_search import chance, datasets
from gnap_search.contracts import Data, Split
from gnap_search.front import Front


@pytest.fixture(scope="module")
def data() -> Data:
    """100 validation images, of which 60 are threes."""
    digits = datasets.load("digits")
    labels = np.repeat(np.array([3, 7]), [60, 40])
    return dataclasses.replace(digits, validation=Split(digits.validation.images[:100], labels))


@pytest.mark.parametrize("accuracy", [0.1, 0.6, 0.69])  # 60 % has a standard error of 4.9 points
def test_what_one_answer_to_all_images_reaches_is_said(make_point, data, accuracy):
    told = chance.unlearnt(Front([make_point(0, 1, 1000, accuracy)]), data)
    assert "every image '3', which 60.00% of the validation images are" in told


def test_what_is_clearly_better_is_not(make_point, data):
    assert not chance.unlearnt(Front([make_point(0, 1, 1000, 0.5), make_point(1, 1, 2000, 0.71)]), data)


def test_too_few_other_images_are_said_where_even_a_perfect_network_could_not_be_told(make_point, data):
    rare = dataclasses.replace(data, validation=Split(data.validation.images, np.repeat([3, 7], [98, 2])))
    told = chance.unlearnt(Front([make_point(0, 1, 1000, 1.0)]), rare)
    assert "Only 2 of 100 validation images are not '3', too few to tell" in told
    assert "every image '3', which 98.00%" in chance.unlearnt(Front([make_point(0, 1, 1000, 0.98)]), rare)


def test_nothing_is_said_of_nothing(data):
    assert not chance.unlearnt(Front(), data)
