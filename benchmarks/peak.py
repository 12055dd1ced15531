"""Peak: the float32 operations a second that one core can do at most, by a loop of fused multiply-adds in C.

A matrix product is no yardstick: on some processors torch's reaches less than half of what convolutions do.
"""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.rounds import seconds

# Sixteen vectors that stay in registers: enough chains to hide the latency of two units.
SOURCE = """
typedef float Vector __attribute__((vector_size(64)));
float turns(long count) {
    Vector chain[16], factor = {}, term = {};
    for (int i = 0; i < 16; i++) { factor[i] = 0.5f; term[i] = 0.25f; }
    for (int i = 0; i < 16; i++) chain[i] = term;
    for (long turn = 0; turn < count; turn++)
        for (int i = 0; i < 16; i++) chain[i] = chain[i] * factor + term;
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += chain[i][0];
    return sum;
}
"""
OPERATIONS = 16 * 16 * 2  # a turn
TURNS = 2_000_000


def flops() -> float:
    """Operations a second, now.

    Raises:
        OSError: there is no C compiler.
    """
    turns = _compiled()
    return TURNS * OPERATIONS / seconds(lambda: turns(TURNS))


@functools.cache
def _compiled() -> Callable[[int], float]:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "peak.c"), Path(folder, "peak.so")
        source.write_text(SOURCE)
        flags = ["-O3", "-march=native", "-funroll-loops", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, str(source), "-o", str(library)], check=True)
        turns = ctypes.CDLL(str(library)).turns
    turns.argtypes, turns.restype = [ctypes.c_long], ctypes.c_float
    return turns
