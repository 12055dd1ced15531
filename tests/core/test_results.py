"""Points and their history."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gnap_search.errors import UserError
from gnap_search.results import History, Point

MakePoint = Callable[..., Point]


def test_points_are_read_back_as_they_were_written(tmp_path: Path, make_point: MakePoint) -> None:
    history, points = History(tmp_path / "h.jsonl"), [make_point(0, epoch, 100, 0.5) for epoch in (1, 2, 3)]
    assert list(history) == []
    for point in points:
        history.append(point)
    assert list(history) == points
    history.rewrite(points[:1])
    assert list(history) == points[:1]


def test_a_line_has_what_other_programs_read(make_point: MakePoint) -> None:
    line = make_point(4, 2, 100, 0.5).to_json()
    assert "\n" not in line
    promised = {"epoch", "parameters", "weights", "macs", "validation_accuracy", "seconds"}
    assert promised <= json.loads(line).keys()


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path: Path, make_point: MakePoint) -> None:
    whole = make_point(0, 1, 100, 0.5)
    (tmp_path / "h.jsonl").write_text(whole.to_json() + "\n" + whole.to_json()[:40])
    assert list(History(tmp_path / "h.jsonl")) == [whole]


def test_fields_of_a_later_version_are_left_out(make_point: MakePoint) -> None:
    point = make_point(0, 1, 100, 0.5)
    assert Point.from_json(json.dumps({**json.loads(point.to_json()), "new": 1})) == point


@pytest.mark.parametrize("garbage", [b"{}\n", b"\x00\x00\xff\n", b"[1]\n", b"null\n"])
def test_a_damaged_line_is_told_by_its_number(tmp_path: Path, make_point: MakePoint, garbage: bytes) -> None:
    path = tmp_path / "h.jsonl"
    path.write_bytes(make_point(0, 1, 100, 0.5).to_json().encode() + b"\n" + garbage)
    with pytest.raises(UserError, match="line 2, is damaged"):
        list(History(path))
