"""Script: what a user of Ray Tune would write to trade accuracy for size, at the defaults of Tune and Optuna.

    python -m benchmarks.script STUDY SECONDS FOLDER

It has a study's ranges and its trainer, and nothing of this project's search: Tune's `OptunaSearch` for two
objectives, a function as the trainable, the newest network of each trial as its checkpoint, and Tune's own
time budget. The last line that it prints is JSON: the last state of every trial, and where its network is.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search import datasets, spec
from gnap_search.contracts import Data
from gnap_search.space import Parameter

NETWORK = "network.safetensors"


def main(path: str, seconds: str, folder: str) -> None:
    """Search for so many seconds from now on, then tell where each trial has come to."""
    begun = time.monotonic()
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    ray.init()  # Tune would do it itself, and count no second before it

    study = spec.load(path)
    data = datasets.load(study.dataset, training_images=study.training_images)
    tuner = tune.Tuner(
        tune.with_parameters(_train, study=study, data=data),
        param_space={name: _range(one) for name, one in study.parameters.items()},
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric=["accuracy", "size"], mode=["max", "min"], seed=study.seed),
            num_samples=study.trials,
            time_budget_s=float(seconds) - (time.monotonic() - begun),
        ),
        run_config=tune.RunConfig(
            storage_path=folder, name="script", checkpoint_config=tune.CheckpointConfig(num_to_keep=1)
        ),
    )
    found = tuner.fit()
    if found.errors:
        raise found.errors[0]
    states = [
        {"point": one.metrics["point"], "network": str(Path(one.checkpoint.path) / NETWORK)}
        for one in (found[place] for place in range(len(found)))
        if one.metrics and one.checkpoint
    ]
    print(json.dumps(states))


def _train(config: dict[str, Any], study: spec.Study, data: Data) -> None:
    """One trial."""
    from ray import tune

    from gnap_search.structure import model
    from gnap_search.training.plan import Plan
    from gnap_search.training.trainer import Trainer

    number = int(str(tune.get_context().get_trial_id()).partition("_")[0], 16)
    seed = int(np.random.SeedSequence([study.seed, number]).generate_state(1)[0])
    trainer = Trainer(Plan(trial=number, seed=seed, settings=config, **study.for_each_trial()), data)
    while not trainer.finished:
        point = trainer.epoch()
        size = math.log10(max(point.parameters, 1))
        with tempfile.TemporaryDirectory() as place:
            model.save(trainer.classifier, Path(place) / NETWORK, {})
            told = {"accuracy": point.validation_accuracy, "size": size, "point": vars(point)}
            tune.report(told, checkpoint=tune.Checkpoint.from_directory(place))


def _range(parameter: Parameter) -> Any:
    """A range, choices or a value in Tune's words."""
    from ray import tune

    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return tune.choice(list(parameter.choices)) if parameter.choices else parameter.value
    if isinstance(low, int) and isinstance(high, int):
        return tune.randint(low, high + 1)
    return tune.loguniform(low, high) if parameter.log else tune.uniform(low, high)


if __name__ == "__main__":
    main(*sys.argv[1:])
