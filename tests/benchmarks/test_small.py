"""Every benchmark runs at tiny size and measures something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, main
from gnap_search.threads import one_thread

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in NAMES if (ROOT / f"benchmarks/{name}.py").exists()])
def test_it_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)  # processes that it starts import it from there
    with one_thread():
        assert main([name, "--small", "--json", str(tmp_path / "figures.json")]) == 0
    record = json.loads((tmp_path / "figures.json").read_text())
    assert record["figures"]
    assert all(figure["median"] >= 0 for figure in record["figures"])
    assert record["facts"]["libraries"] in capsys.readouterr().out


def test_it_is_a_program() -> None:
    command = [sys.executable, "-m", "benchmarks"]
    helped = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(name in helped.stdout for name in NAMES)
    refused = subprocess.run([*command, "nothing"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "invalid choice: 'nothing'" in refused.stderr
