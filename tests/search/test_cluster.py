"""Ray starts beside other work, and whatever becomes of that, it leaves nothing behind."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from gnap_search.search import cluster
from gnap_search.search.resources import Resources
from tests.search.conftest import all_gone

REFUSED = """
import sys, time
from pathlib import Path
import ray
from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.report.quiet import Quiet
from gnap_search.search import cluster, launch

def load(study, place):
    raise UserError("There are no images.")

folder = Path(sys.argv[1])
try:
    launch.run(spec.Study(dataset="digits"), folder, spec.Launch(), Quiet(), load)
except UserError as problem:
    print(problem)
place, prefix = cluster._scratches(folder)
assert not folder.exists() and not ray.is_initialized() and not list(place.glob(f"{prefix}*"))
"""


@pytest.mark.slow
def test_a_refusal_while_ray_starts_is_one_sentence_and_leaves_nothing(tmp_path: Path):
    mark = f"gnap-test-{secrets.token_hex(8)}"
    environment = {**os.environ, "MARK": mark, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", REFUSED, str(tmp_path / "one")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "There are no images.\n", "")
    assert all_gone(mark)


def test_what_a_killed_driver_left_is_swept_and_nothing_else(tmp_path: Path):
    with (
        cluster.scratch(tmp_path / "one") as left,
        cluster.scratch(tmp_path / "one") as kept,
        cluster.scratch(tmp_path / "two") as another,
    ):
        cluster.sweep(tmp_path / "one", kept)
        assert (left.exists(), kept.exists(), another.exists()) == (False, True, True)
    assert not (kept.exists() or another.exists())


def test_a_study_takes_no_more_processors_than_its_trials_can_use():
    machine = Resources(cpus=8, gpus=2)
    assert machine.for_trials(3, Resources(cpus=2, gpus=0)) == Resources(cpus=6, gpus=2)
    assert machine.for_trials(50, Resources(cpus=1, gpus=0)) == machine
    assert machine.for_trials(1, Resources(cpus=0.5, gpus=0)).cpus == 1
    assert machine.for_trials(50, Resources(cpus=1, gpus=0.5)) == Resources(cpus=4, gpus=2)
