"""publish: a front becomes a folder that anybody can check, or nothing is written."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import gnap_search
from gnap_search import datasets, request, spec
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.reference import Reference
from gnap_search.runs import Run
from gnap_search.search.lock import DriverLock
from gnap_search.training import configurations, loop, summary
from gnap_search.training.loop import Errand
from gnap_search.training.plan import Plan, declared
from gnap_search.training.trial import Trial
from tests.published.conftest import check_files, check_record, check_score, check_trials, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("publish")]
GIVEN = """
dataset = "digits"
epochs = 1
[settings]
pruning_strength = 3e-4
[[trial]]
seeds = [0, 1]
[[trial]]
seed_scale = 0.5
"""


@pytest.fixture(scope="module")
def digits() -> Data:
    return datasets.load("digits")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, digits: Data) -> Path:
    """Two studies: `given` of the plain loop, with two seeds, and `searched` as a search leaves it."""
    runs = tmp_path_factory.mktemp("published") / "runs"
    give(runs / "given")
    search(runs / "searched", digits)
    return runs


def give(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "given.toml").write_text(GIVEN)
    asked = configurations.read(folder / "given.toml")
    errands = [Errand(plan, folder / "trials" / str(plan.trial), folder, "cpu") for plan in asked.plans]
    for errand in errands:
        loop.train(errand)
    summary.describe(asked, folder)
    summary.write([errand.result for errand in errands if errand.result], {}, folder)


def search(folder: Path, data: Data) -> None:
    study = spec.load("digits").fitted(len(data.train)).model_copy(update={"epochs": 1})
    trial = Trial(
        Plan(0, seed=7, settings={"pruning_strength": 1e-3}, **study.for_each_trial()),
        data,
        folder / "trials" / "0",
    )
    trial.advance()
    (folder / "study.toml").write_text(study.to_toml())
    (folder / "launch.toml").write_text(spec.Launch().to_toml())
    environment = {"data_digest": data.digest, "python": "3", "versions": {"torch": "2"}, "machine": {}}
    (folder / "environment.json").write_text(json.dumps(environment))


@pytest.fixture(scope="module")
def given(runs: Path) -> Path:
    """The published front of the plain loop."""
    gnap_search.publish("given", runs=runs, directory=runs.parent / "new" / "given")
    return runs.parent / "new" / "given"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_published_front_is_whole_and_true(given: Path, runs: Path, digits: Data) -> None:
    for check in (check_record, check_files, check_trials):
        check(given)
    check_score(given, digits)
    assert [path.name for path in given.parent.iterdir()] == ["given"], "nothing is left beside it"
    points = gnap_search.front("given", runs=runs).points
    assert [point["id"] for point in record(given)["points"]] == [point.id for point in points]


def test_repeated_trainings_are_averaged(given: Path, runs: Path) -> None:
    (configuration,) = record(given)["configurations"]
    first, second, _ = Run(runs / "given").results
    assert (configuration["trials"], configuration["seeds"]) == ([0, 1], [0, 1])
    for key in ("test_accuracy", "parameters"):
        one, other = first[key], second[key]
        assert configuration[key]["mean"] == pytest.approx((one + other) / 2)
        assert configuration[key]["standard_deviation"] == pytest.approx(abs(one - other) / 2**0.5)


def test_a_search_is_published_with_the_command_that_repeats_it(runs: Path) -> None:
    (file,) = gnap_search.publish("searched", runs=runs)
    folder = runs / "searched" / "published"
    for check in (check_record, check_files, check_trials):
        check(folder)
    assert file.path.parent == folder and record(folder)["configurations"] == []
    (point,) = record(folder)["points"]
    assert Run(runs / "searched").test_accuracies == {"0-1": point["test_accuracy"]}, "scored now, and kept"
    assert record(folder)["commands"][0] == "gnap-search pareto --from study.toml --study searched"
    again = request.study({"base": str(folder / "study.toml")})
    assert again.differences(Run(runs / "searched").study) == {}


def test_a_study_that_can_only_be_read_is_published(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs / "searched", tmp_path / "runs" / "searched")
    (tmp_path / "runs" / "searched" / "test.json").unlink(missing_ok=True)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Run, "keep_test_accuracies", refused)
    gnap_search.publish("searched", runs=tmp_path / "runs", directory=tmp_path / "new")
    check_record(tmp_path / "new")
    assert 0 < record(tmp_path / "new")["points"][0]["test_accuracy"] <= 1


def test_what_points_were_confirmed_with_is_published(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "searched", tmp_path / "runs" / "searched")
    run = Run(tmp_path / "runs" / "searched")
    confirmed = Confirmed((Repeat(0, 0.5, 0.4, 100, 9), Repeat(1, 0.6, 0.5, 300, 9)))
    run.keep_confirmed({"0-1": confirmed})
    (file,) = gnap_search.publish("searched", runs=tmp_path / "runs", directory=tmp_path / "new")
    check_record(tmp_path / "new")
    (point,) = record(tmp_path / "new")["points"]
    assert point["confirmed"] == confirmed.told() == file.notes["confirmed"]
    (row,) = csv.DictReader((tmp_path / "new" / "front.csv").read_text().splitlines())
    assert (row["confirmed_seeds"], row["confirmed_parameters"]) == ("2", "200.0")
    assert [(mean.macs, mean.parameters) for mean, _, _ in Reference.read(tmp_path / "new").repeated] == [
        (9, 200)
    ]


def test_the_hypervolume_is_that_of_the_objectives(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "searched", tmp_path / "runs" / "searched")
    run = Run(tmp_path / "runs" / "searched")
    study = run.study.model_copy(update={"objectives": ("accuracy", "parameters", "macs")})
    (run.folder / "study.toml").write_text(study.to_toml())
    gnap_search.publish("searched", runs=tmp_path / "runs", directory=tmp_path / "new")
    told = record(tmp_path / "new")
    assert told["objectives"] == ["accuracy", "parameters", "macs"]
    assert told["hypervolume"] == pytest.approx(Run(run.folder).front().hypervolume())


def test_settings_that_a_search_left_out_stay_at_their_defaults(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "searched", tmp_path / "runs" / "narrow")
    study = Run(tmp_path / "runs" / "narrow").study
    narrow = study.model_copy(
        update={"parameters": {"pruning_strength": study.parameters["pruning_strength"]}}
    )
    (tmp_path / "runs" / "narrow" / "study.toml").write_text(narrow.to_toml())
    gnap_search.publish("narrow", runs=tmp_path / "runs", directory=tmp_path / "new")
    again = request.study({"base": str(tmp_path / "new" / "study.toml")}).parameters
    assert [name for name, parameter in again.items() if parameter.searched] == ["pruning_strength"]
    assert again["growth_factor"].value == declared("gnap")["growth_factor"].default


def test_publishing_again_replaces_the_whole_folder(given: Path, runs: Path) -> None:
    smallest = record(given)["points"][0]
    replaced = given.with_name("replaced")
    shutil.copytree(given, replaced)
    (file,) = gnap_search.publish(
        "given", runs=runs, directory=replaced, max_params=int(smallest["parameters"])
    )
    check_files(replaced)
    assert file.path == replaced / smallest["model"]["file"]
    assert record(replaced)["limits"] == {"max_parameters": smallest["parameters"]}


@pytest.mark.parametrize("content", [["notes.txt"], ["front.json", "notes.txt"], ["front.json"]])
def test_a_folder_that_holds_something_else_is_left_alone(
    content: Sequence[str], runs: Path, tmp_path: Path
) -> None:
    for name in content:
        (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"holds {content[0]}, which is no part of a published front"):
        gnap_search.publish("given", runs=runs, directory=tmp_path)
    assert set(contents(tmp_path).values()) == {b"mine"}


def test_a_file_in_the_way_is_named(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for directory in (tmp_path / "file", tmp_path / "file" / "new"):
        with pytest.raises(UserError, match="file is a file"):
            gnap_search.publish("given", runs=runs, directory=directory)


def test_a_study_at_work_is_refused(runs: Path, tmp_path: Path) -> None:
    with DriverLock(runs / "searched"), pytest.raises(UserError, match="searched"):
        gnap_search.publish("searched", runs=runs, directory=tmp_path / "new")
    with loop.sole(runs / "given"), pytest.raises(UserError, match="'given' are at work"):
        gnap_search.publish("given", runs=runs, directory=tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_other_data_are_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "searched", tmp_path / "runs" / "other")
    (tmp_path / "runs" / "other" / "environment.json").write_text('{"data_digest": "0123456789abcdef"}')
    with pytest.raises(UserError, match=r"trained on other data \(digest 0123456789ab, here"):
        gnap_search.publish("other", runs=tmp_path / "runs", directory=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_when_a_network_is_gone_the_former_folder_stays(given: Path, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "given", tmp_path / "runs" / "given")
    run = Run(tmp_path / "runs" / "given")
    run.model(run.front().points[-1]).unlink()
    shutil.copytree(given, tmp_path / "published")
    with pytest.raises(UserError, match="There is no model file"):
        gnap_search.publish("given", runs=tmp_path / "runs", directory=tmp_path / "published")
    assert contents(tmp_path / "published") == contents(given)
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "published"}
