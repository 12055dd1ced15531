"""Confirmations as values, and what a run makes of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gnap_search import spec, verbs
from gnap_search.comparison import Contender
from gnap_search.confirmation import Confirmed, Repeat, Spread
from gnap_search.errors import UserError
from gnap_search.front import Front
from gnap_search.results import History, Point
from gnap_search.runs import Run

MakePoint = Callable[..., Point]


def repeats(*accuracies: float) -> Confirmed:
    return Confirmed(
        tuple(
            Repeat(seed, accuracy, accuracy - 0.1, 100 + seed, 9) for seed, accuracy in enumerate(accuracies)
        )
    )


@pytest.fixture
def run(tmp_path: Path, make_point: MakePoint) -> Run:
    """A front of four points, two of them of one trial; its knee is the second."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "study.toml").write_text(spec.load("digits").to_toml())
    front = [(0, 1, 100, 0.50), (0, 2, 200, 0.94), (1, 2, 1_000, 0.96), (2, 2, 9_000, 0.97)]
    for trial, epoch, parameters, accuracy in front:
        folder = tmp_path / "one" / "trials" / str(trial)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps({"seed": (7, 1, 8)[trial], "settings": {}}))
        History(folder / "history.jsonl").append(make_point(trial, epoch, parameters, accuracy))
    return Run(tmp_path / "one")


def test_the_confirmed_knee_is_that_of_the_objectives(run: Run) -> None:
    costs = {"0-1": 50, "0-2": 60, "1-2": 70, "2-2": 9_000}  # of training, in the thousands
    for trial in range(3):
        history = History(run.folder / "trials" / str(trial) / "history.jsonl")
        points = [dataclasses.replace(one, training_macs=1_000 * costs[one.id]) for one in history]
        history.rewrite(points)
    study = run.study.model_copy(update={"objectives": ("accuracy", "training_macs")})
    (run.folder / "study.toml").write_text(study.to_toml())
    again = Run(run.folder)
    as_searched = {
        one.id: Confirmed((Repeat(0, one.validation_accuracy, 0.5, one.parameters, one.macs),))
        for one in again.front().points
    }
    again.keep_confirmed(as_searched)
    assert again.confirmed_knee() == again.front().knee() != Front(again.front().points).knee()


def test_means_of_what_was_confirmed_say_what_nobody_counted_as_unknown(run: Run) -> None:
    run.keep_confirmed({"0-2": repeats(0.9, 0.8)})
    (side,) = [Contender.of(run, averaged=True)]
    told = side.told(side.means[0].point)
    assert (told["parameters"], told["macs"]) == (100, 9)
    assert (told["weights"], told["live_macs"], told["training_macs"]) == (None, None, None)


def test_a_single_value_has_no_spread_and_several_have_the_samples() -> None:
    assert Spread.of([3]) == Spread(3.0, None)
    assert Spread.of([1, 3]) == Spread(2.0, pytest.approx(2**0.5))


def test_repeats_are_kept_in_the_order_of_their_seeds_each_once() -> None:
    first, second, third = repeats(0.7, 0.8, 0.9).repeats
    assert Confirmed((second,)).joined_by(third).joined_by(first).joined_by(third).seeds == [0, 1, 2]


def test_a_confirmation_comes_back_as_it_was_kept(run: Run) -> None:
    assert run.confirmed == {}
    run.keep_confirmed({"0-1": repeats(0.5, 0.7)})
    assert run.confirmed == {"0-1": repeats(0.5, 0.7)}
    told = run.notes(run.front().find("0-1"))["confirmed"]
    assert told["seeds"] == [0, 1] and told["validation_accuracy"]["mean"] == pytest.approx(0.6)
    points = run.front_record()["points"]
    assert [point["confirmed"] for point in points] == [told, None, None, None]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.json", "[1]"),
        ("test.json", '{"0-1": null}'),
        ("environment.json", "[1]"),
        ("environment.json", ""),
        ("confirmation.json", '{"0-2": [{"seed": 1}]}'),
        ("confirmation.json", '{"0-2": []}'),
        ("trials/0/plan.json", ""),
        ("trials/0/plan.json", "[1]"),
        ("trials/0/plan.json", "{}"),
        ("trials/0/plan.json", None),
    ],
)
def test_a_damaged_file_is_told_in_a_sentence(run: Run, name: str, content: str | None) -> None:
    (run.folder / name).unlink(missing_ok=True)
    if content is not None:
        (run.folder / name).write_text(content)
    read = (lambda: run.environment) if name == "environment.json" else run.front_record
    with pytest.raises(UserError, match=f"{name} is (missing or )?damaged;.* restore it"):
        read()


def test_damaged_results_of_given_trainings_are_not_to_be_deleted(run: Run) -> None:
    """Without them the folder would pass for a search, which `resume` goes on with."""
    (run.folder / "results.json").write_text("")
    assert not run.searched
    for read in (lambda: run.results, lambda: run.given_failures):
        with pytest.raises(UserError, match=r"damaged; `python -m gnap_search\.training .* writes it anew\."):
            read()


def test_a_folder_that_has_only_its_workers_lease_is_no_trial_yet(run: Run) -> None:
    run.trial_folder(3).mkdir()
    (run.trial_folder(3) / "worker.lease").write_text("4-1")
    assert run.trials() == [0, 1, 2] and run.with_folder() == [0, 1, 2, 3]
    (run.trial_folder(3) / "plan.json").write_text('{"settings": {}}')
    assert run.trials() == [0, 1, 2, 3]


def test_fresh_seeds_are_those_that_no_trial_had(run: Run) -> None:
    assert run.fresh_seeds(3) == [0, 2, 3]


def test_without_a_choice_the_knee_of_the_confirmed_points_is_meant(run: Run) -> None:
    assert verbs.pick(run, {}).id == "0-2"
    run.keep_confirmed({"1-2": repeats(0.95)})
    assert verbs.pick(run, {}).id == "1-2"
    assert verbs.pick(run, {"knee": True}).id == "0-2", "that of the whole front"
    assert verbs.pick(run, {"max_params": 100}).id == "0-1"


def test_means_and_not_searched_figures_decide_which_confirmed_point_is_the_knee(run: Run) -> None:
    others = {"0-1": repeats(0.50), "1-2": repeats(0.96), "2-2": repeats(0.97)}
    run.keep_confirmed({**others, "0-2": repeats(0.94)})
    assert verbs.pick(run, {}).id == "0-2"
    run.keep_confirmed({**others, "0-2": repeats(0.51)})
    assert verbs.pick(run, {}).id == "1-2", "the other's accuracy was luck"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seeds": 0}, "--seeds 0 should be above 0."),
        ({"point": "9-9"}, "No point '9-9' on the front; its points are 0-1, 0-2, 1-2, 2-2."),
        ({"max_params": 1}, "No point of the front has at most 1 parameters"),
        ({"point": "0-1", "max_params": 100}, "Choose points by --point or by limits, and not by both."),
        ({"cpus_per_trial": 4096}, "--cpus-per-trial 4096 is too much"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(run: Run, asked: verbs.Confirming, said: str) -> None:
    (run.folder / "launch.toml").write_text("")
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        verbs.confirm("one", runs=run.folder.parent, **asked)
    assert not (run.folder / "driver.lock").exists() and not (run.folder / "confirmation").exists()


def test_an_empty_front_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "study.toml").write_text(spec.load("digits").to_toml())
    with pytest.raises(UserError, match="The front is empty: there is no finished epoch yet"):
        verbs.confirm("none", runs=tmp_path)
