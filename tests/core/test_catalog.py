"""The catalog: the folder is the registry, and the user's own files come first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gnap_search import catalog, entries
from gnap_search.errors import UserError

KINDS = [*catalog.IMPLEMENTATIONS, *catalog.FILES]


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_says_what_it_is_on_one_line(kind: str) -> None:
    assert catalog.names(kind)
    for name in catalog.names(kind):
        line = catalog.summary(kind, name)
        assert 10 < len(line) < 110 and "\n" not in line


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="Unknown method 'gnp'; did you mean 'gnap'"):
        catalog.implementation("methods", "gnp")
    with pytest.raises(UserError, match="Unknown study 'mnits'; did you mean 'mnist'"):
        catalog.file("studies", "mnits")


def test_the_users_folder_comes_first(elsewhere: Path) -> None:
    bundled = catalog.file("studies", "mnist")
    (elsewhere / "studies").mkdir()
    (elsewhere / "studies" / "mnist.toml").write_text('summary = "mine"\n')
    (elsewhere / "studies" / "own.toml").write_text('summary = "own"\n')
    assert catalog.file("studies", "mnist") == elsewhere / "studies" / "mnist.toml" != bundled
    assert catalog.summary("studies", "mnist") == "mine"
    assert "own" in catalog.names("studies")


def test_what_lies_deeper_is_no_study(elsewhere: Path) -> None:
    (elsewhere / "studies" / "published" / "digits").mkdir(parents=True)
    (elsewhere / "studies" / "published" / "digits" / "study.toml").write_text('summary = "deep"\n')
    assert not {"study", "published"} & set(catalog.names("studies"))


def test_a_path_is_a_name_too(elsewhere: Path) -> None:
    (elsewhere / "some.toml").write_text("")
    assert catalog.file("studies", "some.toml") == Path("some.toml")
    with pytest.raises(UserError, match=r"Unknown study 'other\.toml'"):
        catalog.file("studies", "other.toml")


def test_a_file_may_begin_with_a_byte_order_mark(elsewhere: Path) -> None:
    (elsewhere / "mine.toml").write_bytes(b"\xef\xbb\xbf" + b'summary = "mine"\n')
    assert catalog.read_toml(elsewhere / "mine.toml") == {"summary": "mine"}


def test_a_broken_file_of_the_users_does_not_end_the_list(elsewhere: Path) -> None:
    (elsewhere / "studies").mkdir()
    (elsewhere / "studies" / "broken.toml").write_text("summary = ")
    found = {entry.name: entry.summary for entry in entries.everything()["studies"]}
    assert "is not valid TOML" in found["broken"] and "mnist" in found


def test_a_methods_page_has_every_setting_its_own_first() -> None:
    [page] = [page for page in entries.pages("gnap") if page.entry.kind == "method"]
    names = [setting.name for setting in page.settings]
    assert names[0] == "pruning_strength" and "learning_rate" in names
    assert all(setting.about for setting in page.settings)
    assert not entries.pages("nothing-of-this-name")


def test_listing_imports_neither_torch_nor_numpy_nor_pydantic() -> None:
    code = "import sys; from gnap_search import entries; entries.everything(); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("torch", "numpy", "pydantic", "ray", "optuna"):
        assert f"'{heavy}'" not in loaded
