"""python -m gnap_search.training CONFIGURATIONS.toml --out DIR: given trainings, without a search.

It is for machines that have torch, torchvision, numpy and safetensors alone. A training that is broken off
goes on when the same command is given again, and one that has finished is not repeated.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gnap_search import datasets, streams
from gnap_search.errors import BROKEN_DOWN, INTERRUPTED, REFUSED, UserError
from gnap_search.repeats import Result
from gnap_search.training import configurations, loop, sharing, standalone, summary
from gnap_search.training.loop import Errand

PROGRAM = "python -m gnap_search.training"


def main(words: Sequence[str] | None = None) -> int:
    """The program; its exit code is 1 when a training failed, and 2 for what the user can mend."""
    asked = _parser().parse_args(words)
    try:
        return _run(asked)
    except UserError as problem:
        sys.stderr.write(f"{PROGRAM}: {problem}\n")
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write(f"{PROGRAM}: interrupted; the same command goes on\n")
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads has enough
        streams.give_up()
        return BROKEN_DOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    parser.add_argument("configurations", type=Path, help="a TOML file of trainings")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="the folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="the folder of what comes of them")
    parser.add_argument("--workers", type=int, default=1, help="how many train at once")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser


def _run(asked: argparse.Namespace) -> int:
    wanted = configurations.read(asked.configurations)
    if asked.workers < 1:
        raise UserError(f"--workers {asked.workers} should be above 0.")
    standalone.refuse_device(asked.device)
    errands = [
        Errand(plan, asked.out / "trials" / str(plan.trial), asked.data_root, asked.device)
        for plan in wanted.plans
    ]
    for errand in errands:
        standalone.refuse_other_plan(errand.plan, errand.folder)
    datasets.refuse_within(errands[0].plan.dataset, asked.out, "--out")
    data = errands[0].load(download=True)  # what is wrong with it is told before anything is written
    _refuse_other_data(errands, data.digest)
    if data.note:
        _tell(data.note)
    if asked.workers > 1 and asked.device != "cpu" and (advice := sharing.advice()):
        _tell(advice)
    with loop.sole(asked.out), standalone.writing(asked.out, loop.OTHERWISE):
        summary.describe(wanted, asked.out)
        failures = _train(errands, asked.workers, asked.out)
    results = _results(errands)
    _tell(summary.table(results).rstrip("\n"))
    _tell(f"{len(results)} of {len(errands)} trainings finished; see {asked.out / 'results.json'}")
    return BROKEN_DOWN if failures else 0


def _refuse_other_data(errands: Sequence[Errand], digest: str) -> None:
    """Trainings on different images must not come to one front, nor to one mean."""
    for result in _results(errands):
        if result["data_digest"] != digest:
            raise UserError(
                f"Trial {result['trial']} was trained on other data (digest {result['data_digest'][:12]}, "
                f"now {digest[:12]}); give the same data, or name another --out."
            )


def _train(errands: Sequence[Errand], workers: int, out: Path) -> dict[int, str]:
    """Train what has not finished, and tell each as it ends; trial -> why it failed."""
    failures: dict[int, str] = {}
    summary.write(_results(errands), failures, out)
    for errand in loop.run(errands, workers):
        result, trial = errand.result, errand.plan.trial
        if result is None:
            failures[trial] = errand.failure
            _tell(f"trial {trial} failed: {failures[trial]}")
        else:
            _tell(f"trial {trial}, seed {result['seed']}: {_in_short(result)}")
        summary.write(_results(errands), failures, out)
    return failures


def _results(errands: Sequence[Errand]) -> list[Result]:
    return [result for errand in errands if (result := errand.result) is not None]


def _in_short(result: Result) -> str:
    return (
        f"{result['validation_accuracy']:.2%} validation, {result['test_accuracy']:.2%} test, "
        f"{result['parameters']:,} parameters, {result['seconds']:.0f} s"
    )


def _tell(line: str) -> None:
    if sys.stdout is not None:  # it may be closed
        sys.stdout.write(line + "\n")
        sys.stdout.flush()  # into a file as well, where people look while it runs


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that the processes of the trainings end as well
    streams.prepare()
    sys.exit(main())
