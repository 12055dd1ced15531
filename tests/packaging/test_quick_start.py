"""The quick start: two lines, and the second is what runs on every change."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def quick_start() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, "README has one bash block; its other examples are of the kind console"
    return blocks[0].splitlines()


def test_the_quick_start_is_two_lines() -> None:
    assert len(quick_start()) == 2


def test_each_line_does_all_its_set_up() -> None:
    searching, testing = quick_start()
    for line in (searching, testing):
        words = shlex.split(line)
        assert words[:4] == ["python3", "-m", "venv", ".venv"]
        assert ".venv/bin/pip" in words
    assert ".[export]" in shlex.split(searching)
    assert searching.endswith(".venv/bin/gnap-search pareto --dataset digits")
    assert ".[test]" in shlex.split(testing)
    assert testing.endswith(".venv/bin/python -m pytest")


def test_every_change_runs_the_second_line() -> None:
    printed = subprocess.run([ROOT / ".ci" / "run", "--print"], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == quick_start()[1:]
