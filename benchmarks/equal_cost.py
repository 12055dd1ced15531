"""Equal cost: given trainings once more, each for as many epochs as a training of the first method costs.

    python -m benchmarks.equal_cost runs/digits-methods > digits-methods-equal-cost.toml

Equal epochs favour what trains large networks. Here every training may take as many multiply-accumulates as
those of the first method take on average, or `--times` as many. What a training takes an epoch is what its
mean over seeds took; a network that is much smaller than others gets no more than `MOST` times its epochs,
and so costs less, and one that is much larger no fewer than `LEAST` times its epochs, and so costs more.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from gnap_search.repeats import Repeated, repeated
from gnap_search.runs import Run
from gnap_search.training.configurations import Configurations
from gnap_search.training.plan import Plan

LEAST, MOST = 0.25, 4.0  # of the epochs that a training had


def once_more(run: Run, times: float = 1.0) -> Configurations:
    """The trainings of a run, each for so many epochs as cost `times` what one of the first method did."""
    configurations = repeated(run.results)
    first = [_cost(one) for one in configurations if one.method == configurations[0].method]
    allowed = times * statistics.fmean(first)
    plans = [plan for one in configurations for plan in _longer(run, one, allowed / _cost(one))]
    return Configurations(tuple(dataclasses.replace(plan, trial=number) for number, plan in enumerate(plans)))


def _cost(configuration: Repeated) -> float:
    return statistics.fmean(result["history"][-1]["training_macs"] for result in configuration.results)


def _longer(run: Run, configuration: Repeated, factor: float) -> Iterator[Plan]:
    for trial in configuration.of_each("trial"):
        plan = Plan.of(run.plan(trial))
        epochs = round(plan.epochs * min(max(factor, LEAST), MOST))
        yield dataclasses.replace(plan, epochs=max(epochs, 1))


def main() -> None:
    """Write the file to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.equal_cost", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("run", type=Path, help="the folder of given trainings that have finished")
    parser.add_argument("--times", type=float, default=1.0, help="how many times that cost (default: 1)")
    arguments = parser.parse_args()
    sys.stdout.write(once_more(Run(arguments.run), arguments.times).to_toml())


if __name__ == "__main__":
    main()
