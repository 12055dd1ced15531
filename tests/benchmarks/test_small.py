"""Every benchmark runs at tiny size and measures something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in NAMES if (ROOT / f"benchmarks/{name}.py").exists()])
def test_it_runs(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--small", "--json", str(tmp_path / "figures.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    record = json.loads((tmp_path / "figures.json").read_text())
    assert record["figures"]
    assert all(figure["median"] >= 0 for figure in record["figures"])
    assert record["facts"]["libraries"] in ended.stdout
