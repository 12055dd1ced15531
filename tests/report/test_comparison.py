"""Several studies side by side: the numbers, and how they are told."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gnap_search.comparison import Comparison, Contender, compare
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.errors import UserError
from gnap_search.front import Front, dominates
from gnap_search.report import contest, overlay, plot, record
from gnap_search.results import Point
from gnap_search.runs import Run

MakePoint = Callable[..., Point]
MakeRun = Callable[..., Run]
fronts = st.lists(st.tuples(st.integers(1, 10**7), st.floats(0, 1)), max_size=8)


def contender(make_point: MakePoint, name: str, drawn: list[tuple[int, float]]) -> Contender:
    points = [make_point(trial, 1, *place) for trial, place in enumerate(drawn)]
    return Contender(name, "gnap", "unstructured", "mlp", Front(points), {}, len(points))


@pytest.fixture
def studies(make_point: MakePoint, make_run: MakeRun) -> list[Run]:
    """One that leads among small networks, one among large ones, and one that has not begun."""
    small = [make_point(0, 1, 200, 0.6), make_point(0, 2, 900, 0.9), make_point(1, 2, 5_000, 0.95)]
    large = [make_point(0, 1, 950, 0.85), make_point(0, 2, 4_000, 0.97), make_point(1, 1, 20_000, 0.98)]
    return [make_run("small", small), make_run("large", large), make_run("idle", [])]


def printed(comparison: Comparison) -> str:
    console = Console(file=io.StringIO(), width=80, _environ={})
    console.print(contest.page(comparison))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(st.lists(fronts, min_size=2, max_size=4))
def test_the_common_front_is_the_front_of_all_points(
    make_point: MakePoint, drawn: list[list[tuple[int, float]]]
) -> None:
    contenders = tuple(contender(make_point, str(place), front) for place, front in enumerate(drawn))
    comparison = Comparison("mnist", contenders)
    common = comparison.common_front()
    every = [point for one in contenders for point in one.front.points]
    assert not any(dominates(other, point) for _, point in common for other in every)
    assert Front(every).hypervolume() == pytest.approx(Front(point for _, point in common).hypervolume())
    assert sum(len(stretch.points) for stretch in comparison.stretches()) == len(common)
    assert all(point in holder.front.points for holder, point in common)


def test_of_equal_points_the_first_study_holds_both(make_point: MakePoint) -> None:
    same = [(100, 0.5), (900, 0.9)]
    contenders = contender(make_point, "first", same), contender(make_point, "second", same)
    (stretch,) = Comparison("mnist", contenders).stretches()
    assert (stretch.holder.name, len(stretch.points)) == ("first", 2)


def test_the_numbers_of_a_comparison(studies: list[Run]) -> None:
    found = compare(studies)
    small, large, idle = found.contenders
    assert found.sizes == [300, 1_000, 3_000, 10_000, 30_000]
    assert [one.best_within(1_000).id for one in (small, large) if one.best_within(1_000)] == ["0-2", "0-1"]
    assert large.best_within(300) is None
    assert [(stretch.holder.name, len(stretch.points)) for stretch in found.stretches()] == [
        ("small", 2),
        ("large", 2),
    ]
    assert found.ratio(small) == 1 and found.ratio(idle) == 0
    assert found.ratio(large) == large.front.hypervolume() / small.front.hypervolume()
    assert small.trials == 2 and small.effort and (small.effort.epochs, small.effort.seconds) == (3, 1.5)
    assert compare(list(reversed(studies))).ratio(small) is None, "the first has no point"


def test_the_page_has_every_study_and_fits_a_terminal(studies: list[Run]) -> None:
    text = printed(compare(studies))
    assert max(map(len, text.splitlines())) <= 80
    assert "mnist: 3 studies" in text and "idle has no point that meets its limits yet" in text
    assert "2 of 4" in text and "200 to 900" in text and "4,000 to 20,000" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["small", "validation", "60.00", "90.00", "90.00", "95.00", "95.00"] in rows
    assert ["test", "-", "84.90", "84.90", "96.90", "97.90"] in rows


def test_the_records_agree(studies: list[Run]) -> None:
    comparison = compare(studies)
    written = json.loads(record.comparison_as_json(comparison))
    assert [study["study"] for study in written["studies"]] == ["small", "large", "idle"]
    assert written["studies"][1]["best_within"]["300"] is None
    assert [point["study"] for point in written["common_front"]] == ["small", "small", "large", "large"]
    rows = list(csv.DictReader(io.StringIO(record.comparison_as_csv(comparison))))
    assert len(rows) == sum(len(study["points"]) for study in written["studies"])
    standing = [row["id"] for row in rows if row["on_common_front"] == "1"]
    assert standing == [point["id"] for point in written["common_front"]]


def trained(make_run: MakeRun, make_point: MakePoint, name: str, ends: list[tuple[str, int, float]]) -> Run:
    """Given trainings, two seeds of each method and size, the second half a point better and 10 larger."""
    points, results = [], []
    for trial, (method, size, accuracy) in enumerate(end for end in ends for _ in range(2)):
        late = trial % 2
        last = make_point(trial, 2, size + 10 * late, accuracy + 0.005 * late)
        points.extend([make_point(trial, 1, size, 0.999), dataclasses.replace(last, training_macs=10**9)])
        scored = {
            "test_accuracy": accuracy - 0.01 + 0.02 * late,
            "history": [vars(one) for one in points[-2:]],
        }
        settings = {"learning_rate": size}
        results.append({"trial": trial, "method": method, "epochs": 2, "settings": settings, **scored})
    run = make_run(name, points)
    for result in results:
        (run.trial_folder(result["trial"]) / "plan.json").write_text(json.dumps(result))
    methods = ",".join(dict.fromkeys(method for method, _, _ in ends))
    text = (run.folder / "study.toml").read_text().replace('method = "gnap"', f'method = "{methods}"')
    (run.folder / "study.toml").write_text(text)
    (run.folder / "results.json").write_text(json.dumps({"trials": results}))
    return Run(run.folder)


def test_means_are_of_the_trainings_that_are_left(make_run: MakeRun, make_point: MakePoint) -> None:
    run = trained(make_run, make_point, "both", [("gnap", 300, 0.9), ("dense", 800, 0.9)])
    shutil.rmtree(run.trial_folder(1))
    grown, dense = compare([Run(run.folder)], averaged=True).contenders
    assert not grown.means and [mean.seeds for mean in dense.means] == [2]
    shutil.rmtree(run.trial_folder(3))
    with pytest.raises(UserError, match="Nothing of 'both' was trained with several seeds"):
        compare([Run(run.folder)], averaged=True)


def test_methods_of_one_study_are_compared_by_their_means(make_run: MakeRun, make_point: MakePoint) -> None:
    run = trained(
        make_run, make_point, "both", [("gnap", 300, 0.9), ("gnap", 900, 0.95), ("dense", 800, 0.9)]
    )
    comparison = compare([run], averaged=True)
    grown, dense = comparison.contenders
    assert (grown.name, dense.name) == ("gnap", "dense")
    assert [point.parameters for point in grown.front.points] == [305, 905]
    assert [point.validation_accuracy for point in grown.front.points] == pytest.approx([0.9025, 0.9525])
    assert list(grown.tested.values()) == pytest.approx([0.9, 0.95])
    assert grown.trials == 4 and grown.effort and dense.effort
    assert (grown.effort.training_macs, dense.effort.training_macs) == (4 * 10**9, 2 * 10**9)
    assert [mean.seeds for mean in grown.means] == [2, 2]
    text = printed(comparison)
    assert max(map(len, text.splitlines())) <= 80
    assert "2 methods of both" in text
    assert ["gnap", "305", "90.25", "90.00", "±", "1.41", "2", "1", "G"] in [
        line.split() for line in text.splitlines()
    ]
    told = comparison.record()["studies"][1]["means"]
    assert [(one["training_macs"], one["seeds"]) for one in told] == [(10**9, 2)]
    assert compare([run]).contenders[0].front.best.validation_accuracy == 0.999, "single points otherwise"


def test_means_need_several_seeds(studies: list[Run]) -> None:
    with pytest.raises(UserError, match="Nothing of 'small', 'large' was trained with several seeds"):
        compare(studies[:2], averaged=True)


def test_what_has_no_means_is_told_and_keeps_nobody_out(make_run: MakeRun, make_point: MakePoint) -> None:
    run = trained(make_run, make_point, "seeds", [("gnap", 300, 0.9)])
    single = make_run("single", [make_point(0, 1, 200, 0.8)])
    comparison = compare([run, single], averaged=True)
    assert [len(contender.front.points) for contender in comparison.contenders] == [1, 0]
    text = printed(comparison)
    assert "single has nothing that several seeds have trained to its end" in text
    assert max(map(len, text.splitlines())) <= 80


def test_confirmed_points_have_means(studies: list[Run]) -> None:
    for run in studies[:2]:
        repeats = tuple(Repeat(seed, 0.8 + 0.1 * seed, 0.7 + 0.1 * seed, 500, 1_000) for seed in (0, 1))
        run.keep_confirmed({run.front().points[0].id: Confirmed(repeats)})
    (mean,) = compare(studies[:2], averaged=True).contenders[0].means
    assert (mean.point.parameters, mean.point.validation_accuracy) == (500, pytest.approx(0.85))
    assert mean.test.mean == pytest.approx(0.75)


@pytest.mark.parametrize("ending", plot.FORMATS)
def test_the_fronts_are_drawn(studies: list[Run], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"fronts{ending}"
    overlay.save(compare(studies), path)
    assert path.read_bytes().startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending])


def test_a_drawing_in_another_format_or_place_is_refused(studies: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"A plot ends in \.png"):
        overlay.save(compare(studies), tmp_path / "fronts.jpg")
    with pytest.raises(UserError, match="Cannot write"):
        overlay.save(compare(studies), tmp_path / "missing" / "fronts.png")


def test_what_cannot_be_compared_is_refused(studies: list[Run], make_run: MakeRun) -> None:
    small, _, idle = studies
    clothes = make_run("clothes", [], "fashion-mnist")
    with pytest.raises(UserError, match="'small' is on mnist and 'clothes' on fashion-mnist"):
        compare([small, clothes])
    fewer = Run(make_run("fewer", []).folder)
    on_fewer = fewer.study.model_copy(update={"training_images": 1_000})
    (fewer.folder / "study.toml").write_text(on_fewer.to_toml())
    with pytest.raises(UserError, match="on mnist and 'fewer' on mnist with 1,000 training images; only"):
        compare([small, Run(fewer.folder)])
    on_fewer = on_fewer.model_copy(update={"validation_images": 500})
    (fewer.folder / "study.toml").write_text(on_fewer.to_toml())
    with pytest.raises(
        UserError, match="on mnist with 1,000 training images and 500 validation images; only"
    ):
        compare([small, Run(fewer.folder)])
    with pytest.raises(UserError, match="'small' is named twice"):
        compare([small, idle, small])
    with pytest.raises(UserError, match="at least two studies"):
        compare([small])
    with pytest.raises(UserError, match="None of idle, also has a point"):
        compare([idle, make_run("also", [])])


def test_the_same_images_may_lie_in_two_folders(make_run: MakeRun, make_point: MakePoint) -> None:
    def on(name: str, digest: str) -> Run:
        run = make_run(name, [make_point(0, 1, 200, 0.6)])
        text = run.study.model_copy(update={"dataset": f"/{name}/photos"}).to_toml()
        (run.folder / "study.toml").write_text(text)
        (run.folder / "environment.json").write_text(json.dumps({"data_digest": digest} if digest else {}))
        return Run(run.folder)

    here, there, other, unknown = on("here", "aa"), on("there", "aa"), on("other", "bb"), on("unknown", "")
    assert len(compare([here, there]).contenders) == 2
    for sides in ([here, other], [here, unknown], [unknown, here], [here, there, other]):
        with pytest.raises(UserError, match="only studies on the same data"):
            compare(sides)


def test_a_trial_that_begins_keeps_no_methods_from_comparison(
    make_run: MakeRun, make_point: MakePoint
) -> None:
    run = trained(make_run, make_point, "both", [("gnap", 300, 0.9), ("dense", 800, 0.9)])
    run.trial_folder(9).mkdir()
    (run.trial_folder(9) / "worker.lease").write_text("4-1")
    assert [contender.trials for contender in compare([run]).contenders] == [2, 2]


def test_a_long_name_goes_on_behind_a_hyphen(make_run: MakeRun, make_point: MakePoint) -> None:
    names = "structured-sparsification", "cgap"
    shown = printed(compare([make_run(name, [make_point(0, 1, 200, 0.6)]) for name in names]))
    words = {word for line in shown.splitlines() for word in line.split()[:1]}
    assert {"structured-", "sparsification", "cgap"} <= words
