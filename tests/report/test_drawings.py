"""Tables, records and plots of a front."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from gnap_search import spec
from gnap_search.confirmation import Confirmed, Repeat
from gnap_search.errors import UserError
from gnap_search.front import Budget, Front
from gnap_search.report import axes, canvas, confirmed, fitting, pages, plot, record, table, wording
from gnap_search.results import Point
from gnap_search.runs import Run
from gnap_search.status import Status

MakePoint = Callable[..., Point]
KEPT = ["id", "test", "validation", "parameters", "pick", "method"]  # columns that a narrow table has too
fronts = st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 1)), min_size=1, max_size=15)


def printed(renderable: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, _environ={})
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(fronts, st.integers(30, 120), st.integers(5, 30))
def test_a_drawing_has_the_size_that_was_asked_for(
    make_point: MakePoint, drawn: list[tuple[int, float]], columns: int, rows: int
) -> None:
    front = Front(make_point(trial, 1, *place) for trial, place in enumerate(drawn))
    lines = canvas.draw(front.points, columns, rows).splitlines()
    assert len(lines) == rows and max(map(len, lines)) <= columns


@given(fronts)
def test_axes_hold_the_best_points_and_their_ticks(
    make_point: MakePoint, drawn: list[tuple[int, float]]
) -> None:
    points = Front(make_point(trial, 1, *place) for trial, place in enumerate(drawn)).points
    limits = axes.around(points)
    shown = [point for point in points if point.validation_accuracy >= limits.bottom]
    assert len(shown) >= 3 * len(points) / 5
    for point in shown:
        assert limits.left <= math.log10(max(1, point.parameters)) <= limits.right
        assert point.validation_accuracy <= limits.top <= 1
    assert all(limits.left <= math.log10(tick) <= limits.right for tick in axes.size_ticks(limits))
    ticks = axes.accuracy_ticks(limits, 6)
    assert len(ticks) <= 6
    assert all(limits.bottom - 1e-6 <= tick <= limits.top + 1e-6 for tick in ticks)


def test_nothing_is_drawn_of_nothing() -> None:
    assert canvas.draw([]) == ""


@pytest.mark.parametrize("ending", plot.FORMATS)
def test_a_plot_is_a_picture(run: Run, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"front{ending}"
    plot.save(run, path)
    content = path.read_bytes()
    assert content.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending])
    if ending == ".png":
        with Image.open(path) as image:
            assert image.size == (1050, 780), "a paper's column of 3.5 inches at 300 dots each"


def test_a_plot_in_another_format_or_place_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"A plot ends in \.png, \.svg, \.pdf"):
        plot.save(run, tmp_path / "front.jpg")
    with pytest.raises(UserError, match="Cannot write"):
        plot.save(run, tmp_path / "missing" / "front.png")


def test_the_table_marks_its_picks(run: Run) -> None:
    text, front = printed(table.FrontTable(run, Budget(max_parameters=5_000))), run.front()
    rows = {line.split()[0]: line for line in text.splitlines()[2:]}
    assert list(rows) == [point.id for point in front.points]
    assert "knee" in rows[front.knee().id]
    assert "your pick" in rows[front.within(Budget(max_parameters=5_000)).id]
    assert rows[front.points[-1].id].rstrip().endswith("best")
    assert max(map(len, text.splitlines())) <= 80
    assert f"{front.hypervolume():.4f}" in text


def test_where_there_is_no_room_columns_go_and_no_cell_is_cut(run: Run) -> None:
    methods = ("gnap", "structured-sparsification")
    for trial in run.trials():
        plan = {"method": methods[trial % 2], "settings": {}}
        (run.trial_folder(trial) / "plan.json").write_text(json.dumps(plan))
    study = run.study.model_copy(update={"method": ",".join(methods)})
    (run.folder / "study.toml").write_text(study.to_toml())
    both = table.FrontTable(Run(run.folder))
    narrow, wide = (printed(both, width).splitlines() for width in (80, 160))
    assert wide[1].split() == [*KEPT[:4], "weights", "MACs", "bytes", *KEPT[4:]]
    assert narrow[1].split() == KEPT
    rows = [point.id for point in run.front().points]
    assert [line.split()[0] for line in narrow[2:-1]] == rows
    assert max(map(len, narrow)) <= 80 and not any("…" in line for line in narrow)
    for width, headings in ((62, "id test parameters pick method"), (40, "id test parameters pick")):
        lines = printed(both, width).splitlines()
        assert lines[1].split() == headings.split() and max(map(len, lines)) <= width
        shown = [line.split()[0] for line in lines if line.split()[0] in rows]
        assert shown == rows and "…" not in "".join(lines)


@pytest.mark.parametrize(
    ("width", "kept", "untested"),
    [
        (46, "id test validation parameters pick", "id validation parameters MACs pick"),
        (36, "id test parameters pick", "id parameters pick"),
        (26, "id parameters pick", "id parameters pick"),
        (18, "id pick", "id pick"),
    ],
)
def test_id_and_pick_stay_to_the_last_and_what_says_nothing_goes_first(
    run: Run, width: int, kept: str, untested: str
) -> None:
    def headings() -> list[str]:
        lines = printed(table.FrontTable(run), width).splitlines()
        return next(line.split() for line in lines if line.lstrip().startswith("id "))

    assert headings() == kept.split()
    run.keep_test_accuracies({})
    assert headings() == untested.split()


def test_words_are_broken_where_they_may_be_and_numbers_nowhere() -> None:
    names, numbers = ("structured-sparsification", "a b/c"), ("1,234,567", "8")
    columns = [
        fitting.Column("method", names, "words"),
        fitting.Column("size", numbers),
        fitting.Column("spread", ("± 1", "± 2"), group="size again"),
    ]
    shown = fitting.Fitted(columns, ["size again", "size"], pad_edge=False)
    assert printed(shown, 80).splitlines()[1].split() == [names[0], numbers[0], "±", "1"]
    assert printed(shown, 30).splitlines()[1].split() == ["structured-", numbers[0]]
    assert [line.rstrip() for line in printed(shown, 20).splitlines()] == [
        "method",
        "structured-",
        "sparsification",
        "a b/c",
    ]


def test_studies_on_a_narrow_terminal_keep_their_names_and_cut_nothing(run: Run, tmp_path: Path) -> None:
    statuses = [
        Status(run, "finished", 12, 0, 12, {}),
        Status(run, "unreadable", 0, 0, 0, {}, problem="it is damaged"),
    ]
    for width, headings in ((80, [*pages.PROGRESS]), (40, ["state", "trials", "best"])):
        lines = printed(pages.studies(statuses, tmp_path), width).splitlines()
        assert lines[0].split() == ["study", *headings]
        assert lines[1].split()[:3] == ["mnist-gnap", "finished", "12/12"]
        assert lines[2].split() == ["mnist-gnap", "unreadable"] and "…" not in "".join(lines)


def test_the_table_has_what_training_took_where_that_is_an_objective(run: Run) -> None:
    study = run.study.model_copy(update={"objectives": ("accuracy", "parameters", "training_macs")})
    (run.folder / "study.toml").write_text(study.to_toml())
    assert "training MACs" not in printed(table.FrontTable(run), 160)
    assert "training MACs" in printed(table.FrontTable(Run(run.folder)), 160)


def test_the_table_of_an_empty_front_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(spec.load("mnist").to_toml())
    with pytest.raises(UserError, match="is empty"):
        table.FrontTable(Run(tmp_path))


def test_the_json_record_has_the_shape_that_other_programs_read(run: Run) -> None:
    front = json.loads(record.as_json(run))
    keys = "study dataset training_images validation_images method objectives hypervolume points"
    assert list(front) == keys.split()
    keys = (
        "id trial epoch parameters weights macs live_macs training_macs validation_accuracy test_accuracy "
        "confirmed method sparsity config"
    )
    assert all(list(point) == keys.split() for point in front["points"])
    assert [point["id"] for point in front["points"]] == [point.id for point in run.front().points]
    assert (front["study"], front["dataset"], front["method"]) == ("mnist-gnap", "mnist", "gnap")


def test_the_csv_record_agrees_with_the_json(run: Run, tmp_path: Path) -> None:
    record.write(record.as_csv(run), tmp_path / "front.csv")
    with (tmp_path / "front.csv").open() as file:
        rows = list(csv.DictReader(file))
    points = json.loads(record.as_json(run))["points"]
    assert [row["id"] for row in rows] == [point["id"] for point in points]
    assert all(float(row["pruning_strength"]) == 3.2e-6 for row in rows)
    with pytest.raises(UserError, match="Cannot write"):
        record.write("", tmp_path / "missing" / "front.csv")


def test_a_record_replaces_what_was_there_only_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "front.csv").symlink_to(tmp_path / "real.csv")
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"Cannot write .*: No space left"):
        patch.setattr(Path, "write_bytes", _full_disk)
        record.write("new", tmp_path / "front.csv")
    assert (tmp_path / "front.csv").read_text() == "old"
    record.write("new", tmp_path / "front.csv")
    record.write("new", Path(os.devnull))
    assert (tmp_path / "front.csv").is_symlink() and (tmp_path / "real.csv").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2 and not Path(os.devnull).is_file()


def _full_disk(path: Path, data: bytes) -> int:
    path.write_text(data.decode()[:1])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_points_were_confirmed_with_stands_beside_their_searched_figures(run: Run) -> None:
    lucky, steady = run.front().points[:2]
    repeats = [Repeat(seed, 0.90 + seed / 50, 0.88 + seed / 50, 1_000 + 100 * seed, 9) for seed in (0, 1)]
    run.keep_confirmed({lucky.id: Confirmed(tuple(repeats)), steady.id: Confirmed(tuple(repeats[:1]))})
    lines = printed(confirmed.table(run)).splitlines()
    assert all(word in lines[2] for word in (lucky.id, "91.00 ± 1.41", "89.00 ± 1.41", "1,050 ± 71"))
    assert "90.00" in lines[3] and "±" not in lines[3], "one seed has no spread"
    assert max(map(len, lines)) <= 80 and len(lines) == 4
    for width, headings in (
        (60, "id test again validation again parameters"),
        (40, "id test again parameters"),
    ):
        narrow = printed(confirmed.table(run), width).splitlines()
        assert headings.split() in [line.split() for line in narrow] and "…" not in "".join(narrow)
        assert any(line.startswith(f"{lucky.id} ") and "89.00 ± 1.41" in line for line in narrow)
    points = json.loads(record.as_json(run))["points"]
    assert points[0]["confirmed"]["seeds"] == [0, 1] and points[2]["confirmed"] is None
    rows = list(csv.DictReader(io.StringIO(record.as_csv(run))))
    assert float(rows[0]["confirmed_validation_accuracy"]) == pytest.approx(0.91)
    assert [row["confirmed_seeds"] for row in rows[:3]] == ["2", "1", ""]
    assert rows[1]["confirmed_test_accuracy_deviation"] == ""


def test_the_optimism_of_the_search_is_told_in_percentage_points(run: Run) -> None:
    point = run.front().points[0]
    accuracy = point.validation_accuracy
    run.keep_confirmed({point.id: Confirmed((Repeat(0, accuracy - 0.02, accuracy, 9, 9),))})
    told = printed(confirmed.conclusion(run, ["trial 3 failed"], "take a model"), width=200)
    assert "searched validation accuracies lie 2.00 percentage points above those of fresh seeds" in told
    assert "searched test accuracies lie 0.10 percentage points below" in told
    assert told.splitlines()[-2:] == ["trial 3 failed", "take a model"]


def test_what_is_exported_says_whether_it_was_confirmed(run: Run) -> None:
    point = run.front().points[0]
    unconfirmed = confirmed.in_short({"point": point.id, **run.notes(point)}, "mine --runs 'my runs'")
    assert unconfirmed.endswith(
        f"not confirmed with fresh seeds yet: gnap-search confirm mine --runs 'my runs' --point {point.id}"
    )
    run.keep_confirmed({point.id: Confirmed((Repeat(0, 0.5, 0.4, 9, 9),))})
    told = confirmed.in_short({"point": point.id, **run.notes(point)}, "mine")
    assert told.endswith("confirmed with 1 fresh seed: 50.00 % validation, 40.00 % test")


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.2, "3 s"), (59, "59 s"), (61, "1 min"), (600, "10 min"), (7500, "2 h 05 min")]
)
def test_durations_read_like_words(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_numbers_read_like_words() -> None:
    numbers = (999, 999_400, 999_700, 1_234_567, 4e15)
    assert [*map(wording.rounded, numbers)] == ["999", "999 k", "1 M", "1.23 M", "4 P"]
    assert wording.accuracy(0.99123) == "99.12 %" and wording.accuracy(None) == "-"
    assert wording.plural(1, "trial") == "1 trial" and wording.plural(1234, "trial") == "1,234 trials"


@pytest.mark.parametrize("ending", [".svg", ".pdf"])
def test_the_same_front_is_the_same_file(run: Run, tmp_path: Path, ending: str) -> None:
    paths = [tmp_path / f"{name}{ending}" for name in ("one", "other")]
    for path in paths:
        plot.save(run, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_drawing_names_all_that_is_in_it_in_type_that_stays_type(run: Run, tmp_path: Path) -> None:
    limited = run.study.model_copy(update={"constraints": spec.Constraints(max_params=5_000)})
    (run.folder / "study.toml").write_text(limited.to_toml())
    limited_run = Run(run.folder)
    point = limited_run.front().points[-1]
    limited_run.keep_confirmed({point.id: Confirmed((Repeat(0, 0.98, 0.97, 4_000, 9),))})
    plot.save(limited_run, tmp_path / "front.svg")
    text = (tmp_path / "front.svg").read_text()
    for words in (
        "every epoch",
        "outside limits",
        "front, validation",
        "front, test",
        "fresh seeds",
        "knee: ",
    ):
        assert f">{words}" in text
    plot.save(limited_run, tmp_path / "front.pdf")
    assert b"/Type3" not in (tmp_path / "front.pdf").read_bytes(), "journals refuse it"


@pytest.mark.xdist_group("long_study")
def test_thousands_of_epochs_are_one_picture_in_a_vector_format(long_study: Status, tmp_path: Path) -> None:
    plot.save(long_study.run, tmp_path / "front.svg")
    assert (tmp_path / "front.svg").stat().st_size < 300_000
    assert "<image" in (tmp_path / "front.svg").read_text()
