"""list, show, copy, check: what a study can be made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import gnap_search
from gnap_search import catalog

Run = Callable[..., Result]


def test_list_has_every_name_of_every_kind(run: Run) -> None:
    listed = run("list").stdout
    for kind in (*catalog.IMPLEMENTATIONS, *catalog.FILES):
        for name in catalog.names(kind):
            assert f"  {name} " in listed


def test_show_explains_a_method_with_its_settings(run: Run) -> None:
    shown = run("show", "gnap").stdout
    assert "method gnap" in shown and "search space gnap" in shown
    assert "pruning_strength" in shown and "learning_rate" in shown and "reconstruction" in shown


@pytest.mark.parametrize("name", ["mnist", "plain-cnn", "onnx", "classification"])
def test_show_knows_every_kind(run: Run, name: str) -> None:
    assert name in run("show", name).stdout


def test_a_copy_is_found_before_the_bundle_and_never_overwritten(run: Run, elsewhere: Path) -> None:
    assert run("copy", "mnist").stdout == "copied to studies/mnist.toml\n"
    assert catalog.file("studies", "mnist") == elsewhere / "studies" / "mnist.toml"
    assert "exists" in run("copy", "mnist", exit_code=2).stderr
    run("copy", "gnap")
    assert (elsewhere / "search_spaces" / "gnap.toml").is_file()
    run("copy", "mnist", "mine.toml")
    assert (elsewhere / "mine.toml").read_text() == (elsewhere / "studies" / "mnist.toml").read_text()


def test_check_says_what_a_file_amounts_to(run: Run) -> None:
    run("copy", "mnist", "mine.toml")
    checked = run("check", "mine.toml").stdout
    assert "is a study without faults" in checked
    assert "pruning_strength" in checked and "saturation_patience" in checked
    run("copy", "gnap", "space.toml")
    assert "is a search space without faults" in run("check", "space.toml").stdout
    run("copy", "structured-sparsification", "structured-sparsification-of-mine.toml")
    assert (
        "structured-sparsification-of-mine.toml is a"
        in run("check", "structured-sparsification-of-mine.toml").stdout
    )


def test_no_studies_are_none(run: Run) -> None:
    assert "no studies in runs" in run("studies").stdout
    assert gnap_search.studies() == []


def test_the_folder_of_runs_may_stand_in_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNAP_SEARCH_RUNS", "somewhere")
    assert "no studies in somewhere" in run("studies").stdout
    assert "no studies in here" in run("studies", "--runs", "here").stdout


def test_functions_have_the_names_of_the_commands() -> None:
    from typer.main import get_command

    from gnap_search.cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert set(commands) == set(gnap_search.__all__) - {"UserError", "__version__"}
    for name in commands:
        assert callable(getattr(gnap_search, name)), name


def test_functions_keep_their_names_when_submodules_are_imported() -> None:
    import gnap_search.export
    import gnap_search.front

    assert gnap_search.front.__module__ == gnap_search.export.__module__ == "gnap_search.verbs"


def test_a_data_set_in_brackets_is_shown_as_it_is(run: Run, elsewhere: Path) -> None:
    folder = elsewhere / "runs" / "pets"
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text('dataset = "/pets [old]/[/b] :cat:"\n')
    (folder / "launch.toml").write_text("")
    assert "on /pets [old]/[/b] :cat:" in " ".join(run("show", "pets").stdout.split())


def test_show_says_how_to_go_on_from_where_one_is(run: Run, elsewhere: Path) -> None:
    for runs in ("runs", "my runs"):
        folder = elsewhere / runs / "pets"
        folder.mkdir(parents=True)
        (folder / "study.toml").write_text('dataset = "digits"\n')
        (folder / "launch.toml").write_text("")
    assert "--runs" not in run("show", "pets").stdout
    assert "gnap-search resume pets --runs 'my runs'" in run("show", "pets", "--runs", "my runs").stdout
