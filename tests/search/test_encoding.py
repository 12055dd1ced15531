"""Settings and their places in a search space's cube belong together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnap_search.search.encoding import Encoding
from tests.search.conftest import small_study

SPACE = small_study(
    parameters={
        "rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "kind": ["plain", "deep"],
        "depth": {"low": 2, "high": 9, "when": {"kind": "deep"}},
        "fixed": 5,
    }
).parameters


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_settings_are_modelled_where_they_were_drawn(shares: list[float]):
    encoding = Encoding(SPACE)
    settings = encoding.settings(shares)
    assert settings["fixed"] == 5
    assert ("depth" in settings) == (settings["kind"] == "deep")
    rate, *kinds, depth = encoding.features(settings).tolist()
    again = encoding.settings([rate, (kinds.index(1) + 0.5) / len(kinds), depth])
    assert again.pop("rate") == pytest.approx(settings.pop("rate"))
    assert again == settings


def test_the_ends_of_a_range_stay_in_it():
    parameters = small_study(parameters={"rate": {"low": 3e-3, "high": 1e-1, "log": True}}).parameters
    ends = [Encoding(parameters).settings([share])["rate"] for share in (0.0, 1.0)]
    assert ends == [3e-3, 1e-1]  # though exp(log(x)) is not always x


def test_a_model_sees_a_number_for_each_choice():
    encoding = Encoding(SPACE)
    features = encoding.features({"rate": 1e-2, "kind": "deep", "depth": 9})
    np.testing.assert_allclose(features, [0.5, 0, 1, 1])
    np.testing.assert_allclose(encoding.features({"rate": 1e-3, "kind": "plain"}), [0, 1, 0, 0.5])
