"""What every data set with a name must do; a new one is found here by its file."""

import pytest

from gnap_search import catalog, datasets
from gnap_search.errors import UserError


@pytest.mark.parametrize("name", catalog.names("datasets"))
def test_without_files_it_is_whole_or_says_what_is_missing(name, tmp_path, is_sound):
    try:
        assert is_sound(datasets.load(name, tmp_path / "absent", download=False))
    except UserError as refusal:
        assert "is missing" in str(refusal) and "--data-root" in str(refusal)
        assert str(tmp_path) in str(refusal) and "\n" not in str(refusal)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", catalog.names("datasets"))
def test_with_real_files_it_is_whole(name, real_data, is_sound):
    try:
        data = datasets.load(name, real_data, download=False)
    except UserError as refusal:
        pytest.skip(str(refusal))
    assert is_sound(data)
    assert data.name == name
