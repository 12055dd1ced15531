"""What a report tells, as values, and how it is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gnap_search
from gnap_search import spec
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import document, dossier, progress
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.status import Status

MakePoint = Callable[..., Point]
MakeRun = Callable[..., Run]


def told(run: Run, budget: Budget = Budget(), **known: object) -> dict[str, Any]:
    """What is told of one study that is over."""
    status = Status(run, "finished", 12, 0, 12, **{"failures": {}, **known})
    return dossier.of([status], budget)["studies"][0]


@given(st.lists(st.integers(0, 97), min_size=3, max_size=3, unique=True), st.integers(98, 90_000))
def test_accuracies_tell_on_how_many_images_they_were_measured(
    make_point: MakePoint, right: list[int], images: int
) -> None:
    points = [make_point(0, epoch, 100, count / images) for epoch, count in enumerate([*right, images - 1])]
    assert dossier._images(points) == images


def test_points_that_tell_nothing_have_no_number_of_images(make_point: MakePoint) -> None:
    assert dossier._images([make_point(0, 1, 100, 1.0)]) is None
    assert dossier._images([make_point(0, 1, 100, float("nan"))]) is None


def test_hypervolume_rises_with_cost_to_that_of_the_front(cloud: list[Point]) -> None:
    started = {trial: float(12 - trial) for trial in range(12)}  # the last one began first
    steps = progress.steps(cloud, Front(), started)
    assert steps["hypervolume"] == sorted(steps["hypervolume"])
    assert steps["hypervolume"][-1] == pytest.approx(Front(cloud).hypervolume(), abs=1e-6)
    assert steps["seconds"] == sorted(steps["seconds"]) and steps["seconds"][-1] == len(cloud) * 0.5
    assert steps["macs"][-1] == sum(point.macs for point in cloud)
    assert steps["epochs"][0] == 0 and steps["epochs"][-1] == len(cloud)
    assert steps["point"][1] == "11-1", "the first epoch that ended"
    assert progress.steps(cloud, Front(), {})["point"][1] == "0-1", "without times, trials count in order"


def test_the_front_has_its_picks_and_what_fresh_seeds_gave(run: Run) -> None:
    point = run.front().points[-1]
    run.keep_confirmed({point.id: Confirmed((Repeat(0, 0.9, 0.8, 90, 9), Repeat(1, 0.8, 0.7, 80, 9)))})
    front = told(run, Budget(max_parameters=5_000))["front"]
    assert [one["id"] for one in front] == [one.id for one in run.front().points]
    assert front[-1]["picks"] == ["best"] and front[-1]["confirmed"]["seeds"] == [0, 1]
    picks = [pick for one in front for pick in one["picks"]]
    assert {"knee", "your pick", "best to 1k", "one standard error"} <= set(picks)
    assert front[0]["test"] == run.test_accuracies[front[0]["id"]] and front[0]["bytes"] is None


def test_a_trial_is_told_epoch_by_epoch(make_point: MakePoint, make_run: MakeRun) -> None:
    points = [make_point(0, epoch, 100 * epoch, 0.5 + epoch / 100) for epoch in range(1, 4)]
    run = make_run("limited", points)
    limited = run.study.model_copy(update={"constraints": spec.Constraints(max_params=250), "epochs": 3})
    (run.folder / "study.toml").write_text(limited.to_toml())
    (life,) = told(Run(run.folder))["trials"]
    assert life["parameters"] == [100, 200, 300] and life["infeasible"] == [3]
    assert life["ending"] == "finished" and life["phases"] == [[1, "growing"]]
    assert life["widths"] == [[1, {"first": 4}]] and life["grown"] == []
    (failed,) = told(Run(run.folder), failures={0: "the loss became nan"})["trials"]
    assert (failed["ending"], failed["reason"]) == ("failed", "the loss became nan")


def test_how_a_trial_ended_follows_from_its_folder(make_point: MakePoint, make_run: MakeRun) -> None:
    run = make_run("young", [make_point(0, 1, 100, 0.5), make_point(1, 1, 90, 0.6)])
    (run.trial_folder(1) / "checkpoint.safetensors").touch()
    assert [life["ending"] for life in told(run)["trials"]] == ["stopped", "unfinished"]
    (run.trial_folder(0) / "worker.lease").touch()  # it has begun, and come to no checkpoint yet
    assert [life["ending"] for life in told(run)["trials"]] == ["unfinished", "unfinished"]


def test_a_given_training_ends_with_its_own_epochs(make_point: MakePoint, make_run: MakeRun) -> None:
    run = make_run("given", [make_point(0, 1, 100, 0.5)])
    plan = json.loads((run.trial_folder(0) / "plan.json").read_text())
    (run.trial_folder(0) / "plan.json").write_text(json.dumps({**plan, "epochs": 1}))
    (life,) = told(Run(run.folder))["trials"]
    assert (life["ending"], life["epochs"]) == ("finished", 1)


def test_numbers_that_are_none_are_left_blank(make_point: MakePoint, make_run: MakeRun) -> None:
    run = make_run("broken", [make_point(0, 1, 100, 0.5), make_point(0, 2, 100, float("nan"))])
    assert told(run)["trials"][0]["validation"] == [0.5, None]
    json.loads(
        document.written(dossier.of([Status(run, "finished", 1, 0, 1, {})]))
        .split('id="dossier">')[1]
        .split("</script>")[0]
    )


def test_a_trial_that_begins_is_not_told_yet(run: Run) -> None:
    run.trial_folder(12).mkdir()
    (run.trial_folder(12) / "worker.lease").write_text("4-1")
    assert [life["trial"] for life in told(run, failures={12: "out of memory"})["trials"]] == list(range(12))


@pytest.mark.xdist_group("long_study")
def test_a_network_that_cannot_be_read_is_left_out_and_said(run: Run, long_study: Status) -> None:
    whole = long_study.run.model(long_study.run.front().points[0]).read_bytes()
    sound, damaged = run.front().points[:2]
    for point, content in ((sound, whole), (damaged, whole[:500])):
        run.model(point).parent.mkdir(exist_ok=True)
        run.model(point).write_bytes(content)
    said: list[str] = []
    page = dossier.of([Status(run, "finished", 12, 0, 12, {})], tell=said.append)
    assert list(page["studies"][0]["networks"]) == [sound.id]
    (sentence,) = said
    assert f"without the network of {damaged.id}: {run.model(damaged)} is not a readable" in sentence


def test_the_command_repeats_the_study_and_keeps_no_password(run: Run) -> None:
    words = [
        "/bin/gnap-search",
        "pareto",
        "--storage",
        "postgresql+psycopg://me:s3:c@ret@host/db",
        "--study",
        "a b",
    ]
    (run.folder / "environment.json").write_text(json.dumps({"command": words}))
    command = told(Run(run.folder))["command"]
    assert command == "gnap-search pareto --storage postgresql+psycopg://me@host/db --study 'a b'"
    (run.folder / "environment.json").write_text(json.dumps({"command": ["notebook.py"]}))
    assert told(Run(run.folder))["command"] == "gnap-search pareto --from study.toml --study mnist-gnap"
    assert 'dataset = "mnist"' in told(run)["file"]


@pytest.mark.xdist_group("long_study")
def test_every_front_network_is_told_layer_by_layer(long_study: Status, long_dossier: dict[str, Any]) -> None:
    front, networks = long_study.run.front(), long_dossier["studies"][0]["networks"]
    assert list(networks) == [point.id for point in front.points]
    first, *_, head = networks[front.points[0].id]
    assert (first["kind"], head["kind"]) == ("3x3 convolution", "fully connected")
    assert head["outputs"] == len(head["picture"]) == 10 and head["inputs"] == len(head["picture"][0])
    assert 0 < head["live"] == sum(row.count("9") for row in head["picture"]) < head["weights"]


def test_the_verb_writes_one_file(run: Run, tmp_path: Path) -> None:
    runs = run.folder.parent
    assert gnap_search.report("mnist-gnap", runs=runs) == run.folder / "report.html"
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "http-equiv" in page
    assert "//" not in page.split("</head>")[0].split("<style>")[0], "nothing is loaded"
    with pytest.raises(UserError, match="Cannot write"):
        gnap_search.report("mnist-gnap", runs=runs, file=tmp_path / "missing" / "x.html")
    with pytest.raises(UserError, match="name at least one"):
        gnap_search.report(runs=runs)
    with pytest.raises(UserError, match="There is no study 'mnist-gnpa'"):
        gnap_search.report("mnist-gnpa", runs=runs)
    with pytest.raises(UserError, match="No point of the front has at most 1 parameters"):
        gnap_search.report("mnist-gnap", runs=runs, max_params=1)


def test_a_study_without_a_point_is_refused(make_run: MakeRun) -> None:
    idle = make_run("idle", [])
    with pytest.raises(UserError, match="The front is empty"):
        gnap_search.report("idle", runs=idle.folder.parent)


def test_several_methods_and_costs_are_told_apart(make_point: MakePoint, make_run: MakeRun) -> None:
    points = [make_point(0, 1, 100, 0.5), make_point(1, 1, 200, 0.6)]
    cheap = dataclasses.replace(make_point(2, 1, 300, 0.55), macs=1)  # on the front, but not in the plane
    run = make_run("several", [*points, cheap])
    for trial, method in enumerate(("gnap", "dense", "dense")):
        plan = {"method": method, "settings": {"seed_scale": 1.0 + trial}}
        (run.trial_folder(trial) / "plan.json").write_text(json.dumps(plan))
    several = spec.resolve({"dataset": "mnist", "method": "gnap,dense"})
    costs = several.model_copy(update={"objectives": ("accuracy", "parameters", "macs")})
    (run.folder / "study.toml").write_text(costs.to_toml())
    study = told(Run(run.folder))
    assert study["methods"] == {"dense": "structured", "gnap": "unstructured"}
    assert [trial["method"] for trial in study["trials"]] == ["gnap", "dense", "dense"]
    assert [one["plane"] for one in study["front"]] == [True, True, False]
    assert [one["name"] for one in study["settings"]] == ["seed_scale"] and study["costs"][1] == "macs"
    assert study["progress"]["hypervolume"][-1] == pytest.approx(study["hypervolume"], abs=1e-6)
