"""Stock: what one would write with Ray Tune and its `OptunaSearch`, or with Optuna alone, at their defaults.

The three follow the documentation of these libraries. An empty or sleeping trial imports no torch here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.work import SEARCHED, Work
from gnap_search.contracts import Data

Ended = Callable[[float], None]  # is told the seconds that a trial worked


def ray_tune(work: Work, data: Data | None, folder: Path, ended: Ended, *, as_class: bool) -> None:
    """A study by Ray Tune, with a function or with a class as the trainable."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    class Endings(tune.Callback):
        """Listens for trials that end."""

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            del iteration, trials, info
            ended(trial.last_result["worked"])

    trainable = _class(work) if as_class else functools.partial(_function, work)
    tuner = tune.Tuner(
        tune.with_parameters(trainable, data=data),
        param_space={
            "pruning_strength": tune.loguniform(*_range("pruning_strength")),
            "growth_factor": tune.uniform(*_range("growth_factor")),
            "saturation_patience": tune.randint(1, 5),
        },
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric=["accuracy", "size"], mode=["max", "min"]),
            num_samples=work.trials,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder), stop={"training_iteration": work.epochs or 1}, callbacks=[Endings()]
        ),
    )
    tuner.fit()


def optuna_alone(work: Work, data: Data | None, folder: Path, ended: Ended) -> None:
    """A study by Optuna in one process, with SQLite as its storage."""
    import optuna

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        settings = {
            "pruning_strength": trial.suggest_float(
                "pruning_strength", *_range("pruning_strength"), log=True
            ),
            "growth_factor": trial.suggest_float("growth_factor", *_range("growth_factor")),
            "saturation_patience": trial.suggest_int("saturation_patience", 1, 4),
        }
        *_, last = _reports(work, settings, data)
        return last["accuracy"], last["size"]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'study.db'}", directions=["maximize", "minimize"]
    )
    study.optimize(objective, n_trials=work.trials, callbacks=[lambda *_: ended(work.pause)])


def _function(work: Work, config: dict[str, Any], data: Data | None) -> None:
    from ray import tune

    for report in _reports(work, config, data):
        tune.report(report)


def _class(work: Work) -> type:
    from ray import tune

    class Steps(tune.Trainable):
        """One epoch a step."""

        def setup(self, config: dict[str, Any], data: Data | None = None) -> None:
            self._reports = _reports(work, config, data)

        def step(self) -> dict[str, Any]:
            return next(self._reports)

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing to keep."""

        def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
            """Nothing to take up."""

    return Steps


def _reports(work: Work, settings: dict[str, Any], data: Data | None) -> Iterator[dict[str, float]]:
    """The two objectives after every epoch, and the seconds of work so far."""
    worked = 0.0
    for result in work.results(settings, data):
        worked += result["seconds"]
        size = math.log10(max(result["parameters"], 1))
        yield {"accuracy": result["accuracy"], "size": size, "worked": worked}


def _range(name: str) -> tuple[float, float]:
    searched = SEARCHED[name]
    return searched["low"], searched["high"]
