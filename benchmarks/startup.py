"""Startup: how long one waits for an answer of the program, and for a study's first training step.

Every command is a process of its own. A trial's empty history appears when its network stands and its first
step comes next, and the history's first line when its first epoch is over.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import made
from benchmarks.rounds import ROUNDS, Figure, measured, seconds

PROGRAM = (sys.executable, "-m", "gnap_search")
TRIALS, EPOCHS = 100, 30  # of the study whose front is shown
STUDY = ("pareto", "--dataset", "digits", "--trials", "2", "--epochs", "2")
PATIENCE = 120.0  # seconds that a study may take to its first point
BOUNDS = {"--help": 0.3, "list": 0.3, "front": 0.6}
STEP, POINT, END = "first training step", "first point", "end, of two trials of two epochs"


def figures(*, small: bool) -> list[Figure]:
    """Seconds from the start of a process to its end, or to what one waits for."""
    rounds = 1 if small else ROUNDS
    with tempfile.TemporaryDirectory(prefix="startup-") as place:
        study = made.folder(Path(place, "study"), 10 if small else TRIALS, EPOCHS)
        return [*_answers(study.folder, rounds), *_pareto(Path(place), rounds)]


def _answers(study: Path, rounds: int) -> list[Figure]:
    """What is only shown: it needs no torch, no Ray and no Optuna, but for the last."""
    commands = {
        "--help": ("--help",),
        "list": ("list",),
        "front": ("front", study.name, "--runs", str(study.parent)),
        "studies": ("studies", "--runs", str(study.parent)),
    }
    variants = {
        name: functools.partial(seconds, functools.partial(_answer, words))
        for name, words in commands.items()
    }
    told = measured(variants, "s", rounds)
    return [told[name].asked(at_most=BOUNDS[name]) if name in BOUNDS else told[name] for name in told]


def _answer(words: tuple[str, ...]) -> None:
    subprocess.run([*PROGRAM, *words], check=True, stdout=subprocess.DEVNULL)


def _pareto(place: Path, rounds: int) -> list[Figure]:
    """What one waits for between `pareto` and its end."""
    waits = [_waits(place / f"runs-{turn}") for turn in range(rounds)]
    told = {
        name: Figure(f"pareto: {name}", "s", [wait[name] for wait in waits]) for name in (STEP, POINT, END)
    }
    told[STEP] = told[STEP].asked(at_most=6)
    return list(told.values())


def _waits(runs: Path) -> dict[str, float]:
    start = time.perf_counter()
    with subprocess.Popen([*PROGRAM, *STUDY, "--runs", str(runs)], stdout=subprocess.DEVNULL) as study:
        step = _moment(study, lambda: any(runs.glob("*/trials/*/history.jsonl")))
        point = _moment(
            study, lambda: any(path.stat().st_size for path in runs.glob("*/trials/*/history.jsonl"))
        )
        study.wait()
    return {STEP: step - start, POINT: point - start, END: time.perf_counter() - start}


def _moment(study: subprocess.Popen[bytes], come: Callable[[], bool]) -> float:
    """When something has come about.

    Raises:
        RuntimeError: it did not, although the study ended, or its time was over.
    """
    end = time.perf_counter() + PATIENCE
    while not come():
        if study.poll() is not None or time.perf_counter() > end:
            study.kill()
            raise RuntimeError(f"{' '.join(STUDY)} ended with {study.returncode} and has not trained")
        time.sleep(0.005)
    return time.perf_counter()
