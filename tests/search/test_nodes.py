"""A process whose cluster is gone ends with a sentence, whatever has become of its standard output."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LEAVING = """
import sys, threading
from gnap_search import streams
from gnap_search.search import nodes

streams.prepare()
if sys.stdout is not None:
    sys.stdout.write("waiting to be written")
watching = threading.Thread(target=nodes._leave, args=("the cluster is gone",))
watching.start()
watching.join()
sys.exit("the watch has ended before the process did")
"""


@pytest.mark.parametrize("stdout", [">/dev/null", ">/dev/full", ">&-"], ids=["open", "full", "closed"])
@pytest.mark.parametrize("stderr", ["", "2>/dev/full", "2>&-"], ids=["open", "full", "closed"])
def test_the_end_of_a_cluster_ends_the_process(stdout: str, stderr: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {stdout} {stderr}', sys.executable, LEAVING],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert ended.returncode == 2
    assert ended.stderr == ("" if stderr else "gnap-search: the cluster is gone\n")
