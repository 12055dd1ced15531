"""On what something ran."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from gnap_search import environment


def test_a_record_is_json_and_names_what_is_installed() -> None:
    told = json.loads(json.dumps(environment.record()))
    assert told["python"] == platform.python_version() and told["versions"]["torch"]
    assert told["machine"]["processor"] and told["machine"]["processors"] >= 1
    assert environment.versions("no-such-distribution") == {}


def test_the_processor_is_named_as_linux_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PROCESSORS", tmp_path / "cpuinfo")
    assert environment.processor() in (platform.processor(), platform.machine())
    (tmp_path / "cpuinfo").write_text("vendor_id\t: X\nmodel name\t: A Fast One\nmodel name\t: Another\n")
    assert environment.processor() == "A Fast One"
