"""`python -m benchmarks.reports`: what a report costs Ray Tune itself, with real actors that train nothing.

Processor time of the driver's process, all threads: of a whole report under `tune.run` with a few actors,
which report as fast as they can; and of the wait for the next of so many results, which every report takes
and which grows with the workers. The JSON on its last line has milliseconds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import tempfile
import time
from typing import Any

from benchmarks import processes
from benchmarks.made import point
from gnap_search.search.cluster import ENVIRONMENT
from gnap_search.search.ledger import Ask

MEMORY = 200 * 2**20  # bytes of Ray's store
WAITS = 200


def costs(actors: int, reports: int, futures: list[int]) -> dict[str, float]:
    """What -> milliseconds; each actor gives so many reports."""
    os.environ.update(ENVIRONMENT)
    import ray

    with tempfile.TemporaryDirectory(prefix="reports-", dir=processes.SHORT) as place:
        ray.init(
            num_cpus=max(actors, 2),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=MEMORY,
            _temp_dir=place,
        )
        try:
            told = {f"a report of {actors} actors": _report(actors, reports, place)}
            return told | {f"a wait for one of {count} results": _wait(count) for count in futures}
        finally:
            ray.shutdown()


def _report(actors: int, reports: int, place: str) -> float:
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler

    line, seen = point(Ask(7, {"pruning_strength": 1e-3}), 9).to_json(), []

    class Idle(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            del config
            self._given = 0

        def step(self) -> dict[str, Any]:
            self._given += 1
            told = {"points": [line], "notice": None, "failure": None, "halt": None, "ending": False}
            return {**told, "done": self._given >= reports}

    class Watching(FIFOScheduler):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # Ray is annotated in part

        def on_trial_result(self, *told: Any) -> str:
            seen.append(time.process_time())
            return super().on_trial_result(*told)

    tune.run(
        Idle,
        num_samples=actors,
        scheduler=Watching(),
        storage_path=place,
        resources_per_trial={"cpu": 1},
        verbose=0,
    )
    first, last = len(seen) // 2, len(seen) * 9 // 10  # while all of them run
    return 1000 * (seen[last] - seen[first]) / max(1, last - first)


def _wait(count: int) -> float:
    """What the controller does with so many open results, one of which has come."""
    import ray

    class Slow:
        def sleep(self) -> None:
            time.sleep(10_000)

    actor: Any = ray.remote(num_cpus=0)(Slow)
    actor = actor.remote()
    open_ones = [actor.sleep.remote() for _ in range(count - 1)]
    ready = ray.put(None)
    start = time.process_time()
    for _ in range(WAITS):
        shuffled = [*open_ones, ready]
        random.shuffle(shuffled)
        ray.wait(shuffled, num_returns=1, timeout=0.1)
    took = 1000 * (time.process_time() - start) / WAITS
    ray.kill(actor)
    return took


def main() -> None:
    """Print the costs as JSON, on the last line: others may print before it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--reports", type=int, default=200, help="of each actor")
    parser.add_argument("--waits", type=int, nargs="*", default=[10, 100, 1000], help="open results")
    asked = parser.parse_args()
    print(json.dumps(costs(asked.actors, asked.reports, asked.waits)))


if __name__ == "__main__":
    main()
