"""Resources: processors and GPUs, what there is and what a trial takes; so how many trials run at once."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gnap_search import spec
from gnap_search.errors import UserError

PARTS = 10_000  # of a processor or a GPU: Ray counts in ten-thousandths
TOLERANCE = 0.05  # 0.33 is meant as a third


@dataclasses.dataclass(frozen=True)
class Resources:
    """Processors and GPUs: of a machine, of a cluster, or for one trial."""

    cpus: float
    gpus: float

    def workers(self, trial: Resources) -> int:
        """How many trials fit."""
        fits = [_fits(self.cpus, trial.cpus)]
        if trial.gpus:
            fits.append(_fits(self.gpus, trial.gpus))
        return min(fits)

    def for_trials(self, count: int, trial: Resources) -> Resources:
        """As many of these processors as that many trials can use at once, and all GPUs."""
        return Resources(math.ceil(min(self.workers(trial), count) * trial.cpus), self.gpus)


def per_trial(launch: spec.Launch) -> Resources:
    """What each trial takes.

    Raises:
        UserError: a share that is neither whole nor 1/n.
    """
    return Resources(
        _share("--cpus-per-trial", launch.cpus_per_trial),
        _share("--gpus-per-trial", launch.gpus_per_trial) if launch.gpus_per_trial else 0,
    )


def workers(nodes: Iterable[Resources], trial: Resources) -> int:
    """How many trials fit at once; each takes all that it needs from one node."""
    return sum(node.workers(trial) for node in nodes)


def refuse_too_few(nodes: Sequence[Resources], trial: Resources, address: str | None) -> None:
    """See that at least one trial fits, on this machine or on a node of the cluster at an address.

    Raises:
        UserError: it does not.
    """
    where = "this machine" if address is None else f"the largest node of the cluster at {address}"
    wishes = {
        "--cpus-per-trial": (trial.cpus, max((node.cpus for node in nodes), default=0), "processors"),
        "--gpus-per-trial": (trial.gpus, max((node.gpus for node in nodes), default=0), "GPUs"),
    }
    for flag, (wanted, present, what) in wishes.items():
        if wanted > present:
            raise UserError(f"{flag} {wanted:g} is too much: {where} has {present:g} {what}.")
    if not workers(nodes, trial):
        both = f"--cpus-per-trial {trial.cpus:g} with --gpus-per-trial {trial.gpus:g}"
        raise UserError(f"{both} is too much: no single node has as many of both.")


def of_this_machine(*, with_gpus: bool) -> Resources:
    """What this process may use; GPUs are counted only where they are wanted, because that needs torch."""
    return Resources(_cpus(), _gpus() if with_gpus else 0)


def threads(trial: Resources) -> int:
    """How many threads a trial computes with."""
    return max(1, int(trial.cpus))


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _cpus() -> int:
    """The processors of this process, or fewer where a container grants less of their time."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, math.ceil(int(quota) / int(period))))
    return count


def _share(flag: str, value: float) -> float:
    if value >= 1 and value == int(value):
        return value
    if 1 / PARTS <= value < 1:
        parts = round(1 / value)
        if parts > 1 and abs(value * parts - 1) < TOLERANCE:
            return math.floor(PARTS / parts) / PARTS
    raise UserError(f"{flag} {value:g} should be a whole number, or a share of one like 0.5, 0.33 or 0.25.")


def _fits(available: float, wanted: float) -> int:
    if wanted >= 1:
        return int(available // wanted)
    return int(available) * int(1 / wanted)
