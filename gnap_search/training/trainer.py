"""Trainer: the only training loop, an ordinary object that trains one epoch at a time.

What a trial will do follows from its plan, its data and the number of epochs done: the order of the
images, their augmentation and every fresh weight come from the plan's seed and the epoch. So a checkpoint
needs no state of a random generator.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gnap_search import catalog
from gnap_search.contracts import Data, Method, Progress, Task
from gnap_search.errors import TrialError
from gnap_search.results import Point
from gnap_search.settings import decode
from gnap_search.structure import surgery
from gnap_search.structure.edits import Edit, Settle
from gnap_search.structure.model import Blueprint, placed
from gnap_search.structure.plain import Plain
from gnap_search.structure.slots import Liveness, find
from gnap_search.training import augment, evaluate, images, replay, schedule
from gnap_search.training.optimizer import KINDS
from gnap_search.training.plan import Plan, TrainingSettings, check_settings

PASSES = 3  # that a step counts as: forward, and backward to the inputs and to the weights


class Trainer:
    """One network in training, from its seed to its finish.

    Attributes:
        points: what it was at the end of every epoch so far.
        widths: channels of every group now.
        settled: whether the network consists of plain weights by now, the method's parts gone.
        classifier: the plain network of the newest point; it has no dead channels and no gates.
    """

    def __init__(self, plan: Plan, data: Data, device: str = "cpu") -> None:
        """The network at its start.

        Raises:
            UserError: a setting of the plan is unknown or out of bounds, or an augmentation is unknown.
        """
        check_settings(plan.method, plan.settings)
        self.plan, self.device = plan, device
        self.settings = decode(TrainingSettings, plan.settings)
        self.method: Method = decode(catalog.implementation("methods", plan.method).METHOD, plan.settings)
        task: Any = catalog.implementation("tasks", plan.task)
        self.task: Task = task
        self.blueprint = Blueprint(plan.network, data.shape, len(data.classes))
        self.augmentation = data.augmentation if plan.augmentation is None else plan.augmentation
        augment.check(self.augmentation)
        self._training = images.to_device(data.train, device)
        self._validation = images.to_device(data.validation, device)
        self.mean, self.deviation = images.statistics(data.train)
        self.points: list[Point] = []
        self.widths = seed_widths(self.blueprint, self.settings.seed_scale, self.settings.seed_depth)
        self.settled = False
        self._slots = find(self._assemble, self.widths)
        self._liveness = Liveness(self.blueprint, self.widths)
        self.model = self._build(self.widths)
        self.optimizer = self._optimizer(self.model)
        self._recorded: tuple[str, replay.Step] | None = None
        self._plain = Plain(self.blueprint, self.mean, self.deviation, device)
        self.classifier = self._plain.follow(self.model, self.widths)

    @property
    def _on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def epochs_done(self) -> int:
        """How many epochs are over."""
        return len(self.points)

    @property
    def finished(self) -> bool:
        """Whether every epoch of the plan is over."""
        return self.epochs_done >= self.plan.epochs

    def epoch(self) -> Point:
        """Train one epoch, remove what died, measure, and grow if it is time.

        Raises:
            TrialError: a loss or the network is no longer finite.
        """
        start = time.perf_counter()
        at = schedule.progress(self.epochs_done, self.plan.epochs, self.settings.finishing_share)
        with schedule.random_state(self.plan.seed, at.done, self.device):
            phase = self.method.prepare(self.model, at)
            loss = self._train(at, self._stepper(phase))
            if not math.isfinite(loss):
                raise TrialError(f"the training loss became {loss} in epoch {at.done + 1}")
            self.classifier = self._plain.follow(self.model, self.widths)
            spent = self._spent()
            self._prune()
            if not self._fixed(phase):
                self._remove_dead()
            point = dataclasses.replace(self._measure(at, phase, loss), training_macs=spent)
            self._refuse_overflow(point)
            growth = self._growth(at, point)
        point = dataclasses.replace(point, grown=bool(growth), seconds=time.perf_counter() - start)
        self.points.append(point)
        self._apply(growth)
        return point

    def _train(self, at: Progress, step: replay.Step) -> float:
        """One pass over the training images; the mean loss, without the method's penalty."""
        self.model.train()
        pixels, labels = self._training
        order = schedule.generator(self.plan.seed, at.done, "order")
        noise = schedule.generator(self.plan.seed, at.done, "augmentation", self.device)
        size = schedule.batch_size(self.settings.batch_size, len(labels))
        share = self.settings.augmented_share
        total = torch.zeros((), device=self.device)
        steps = schedule.batches(len(labels), size, order, self.device)
        for number, chosen in enumerate(steps):
            self._set_learning_rate(schedule.learning_rate_share(at.done + number / len(steps), at))
            batch = augment.augment(pixels[chosen], self.augmentation, noise, share)
            total += step(batch, labels[chosen]) * len(chosen)
        self.model.eval()
        return float(total) / len(labels)

    def _spent(self) -> int:
        """The multiply-accumulates of all training so far; the plain network is as wide as it was trained."""
        before = self.points[-1].training_macs if self.points else 0
        return before + PASSES * self._plain.macs * len(self._training[1])

    def _stepper(self, phase: str) -> replay.Step:
        """The step of this network in this phase; on a GPU it is recorded when it first runs."""
        if not self._on_gpu:
            return self._step
        if self._recorded is None or self._recorded[0] != phase:
            self._recorded = phase, replay.Replay(self._step)
        return self._recorded[1]

    def _step(self, batch: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step on images in [0, 1]; their mean loss."""
        inputs = batch.contiguous(memory_format=torch.channels_last).sub_(self.mean).div_(self.deviation)
        with self._arithmetic():
            outputs = self.model(inputs)
        loss = self.task.loss(outputs.float(), labels, self.settings.label_smoothing)
        penalty = None if self.settled else self.method.penalty(self.model)
        (loss if penalty is None else loss + penalty).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if not self.settled:
            self.method.project(self.model, self._rate())
        return loss.detach()

    def _arithmetic(self) -> contextlib.AbstractContextManager[None]:
        reduced = self.settings.precision == "bfloat16" or (
            self.settings.precision == "auto" and _has_fast_bfloat16(self.device)
        )
        if not reduced:
            return contextlib.nullcontext()
        # Every weight is used once, so there is nothing to cache; and a recording must not depend on a cache.
        context: contextlib.AbstractContextManager[None] = torch.autocast(
            torch.device(self.device).type, torch.bfloat16, cache_enabled=False
        )
        return context

    def _prune(self) -> None:
        """What the method cuts."""
        if self.settled:
            return
        if edits := self.method.prune(self.model, self.blueprint, self.points):
            self._apply(edits)
            self.classifier = self._plain.follow(self.model, self.widths)

    def _fixed(self, phase: str) -> bool:
        """Whether nothing can have died in an epoch of this phase: what is zero was so before."""
        return phase == "finishing" and bool(self.points) and self.points[-1].phase == phase

    def _remove_dead(self) -> None:
        """Remove the channels that have died, from the live network and the plain one."""
        # The plain network has the same zeros, and no parametrization to compute once more.
        alive = self._liveness.among(self._plain.weights, self.widths)
        if dead := surgery.remaining(alive, self.blueprint.optional):
            self._apply(dead)
            self.classifier = self._plain.follow(self.model, self.widths)

    def _measure(self, at: Progress, phase: str, loss: float) -> Point:
        """The point that the network stands on now; `loss` is the epoch's mean training loss."""
        score, validation_loss = evaluate.measure(self.classifier, *self._validation, self.task)
        size = self._plain.cost()
        return Point(
            trial=self.plan.trial,
            epoch=at.done + 1,
            parameters=size.parameters,
            weights=size.weights,
            macs=size.macs,
            live_macs=size.live_macs,
            validation_accuracy=score,
            validation_loss=validation_loss,
            training_loss=loss,
            learning_rate=self.settings.learning_rate * schedule.learning_rate_share(at.done, at),
            phase=phase,
            widths=dict(self.widths),
            seconds=0.0,
        )

    def _refuse_overflow(self, point: Point) -> None:
        """The loss of an epoch's steps was finite; what the last of them made of the network may not be."""
        if not math.isfinite(point.validation_loss):
            raise TrialError(f"the validation loss became {point.validation_loss} in epoch {point.epoch}")
        finite = [tensor.isfinite().all() for tensor in self.classifier.state_dict().values()]
        if not torch.stack(finite).all():  # one wait for a GPU, not one a tensor
            raise TrialError(f"the network has numbers that are not finite after epoch {point.epoch}")

    def _growth(self, at: Progress, point: Point) -> list[Edit]:
        """What to widen before the next epoch; nothing in the finish, nor right before it."""
        if at.done + 1 >= at.finish or self.settled:
            return []
        return self.method.grow(self.model, self.blueprint, [*self.points, point])

    def _apply(self, edits: Sequence[Edit]) -> None:
        """Bring the network to its new widths; weights, gates and moments stay what they are."""
        if not edits:
            return
        operation = surgery.Operation(self.widths, edits, self.blueprint.blocks)
        if operation.narrows:
            surgery.narrow(operation, self._slots, self.model, self.optimizer)
        else:
            self._rebuild(operation, edits)
        self.widths, self._recorded = operation.widths, None

    def _rebuild(self, operation: surgery.Operation, edits: Sequence[Edit]) -> None:
        """Build the network at its new widths; weights, gates and moments move over."""
        old = self.model.state_dict()
        if any(isinstance(edit, Settle) for edit in edits):
            self._settle()
            old = self.classifier.network.state_dict()  # what the method's parts made of the weights
        model = self._build(operation.widths)
        operation.transfer(self._slots, old, model.state_dict())
        optimizer = self._optimizer(model)
        surgery.transfer_moments(operation, self._slots, (self.model, self.optimizer), (model, optimizer))
        self.model, self.optimizer = model, optimizer

    def _settle(self) -> None:
        """Attach nothing from now on."""
        self.settled = True
        self._slots = find(self._assemble, self.widths)

    def _assemble(self, widths: Mapping[str, int]) -> nn.Module:
        model = self.blueprint.build(widths)
        if not self.settled:
            self.method.attach(model, self.blueprint)
        return model

    def _build(self, widths: Mapping[str, int]) -> nn.Module:
        """A fresh network with the method attached; its weights follow from the seed and the epoch."""
        fresh = schedule.generator(self.plan.seed, self.epochs_done, "weights").initial_seed()
        with torch.random.fork_rng(devices=[]):
            # `torch.manual_seed` would also seed every other device, which takes as long as the building.
            torch.default_generator.manual_seed(fresh)
            model = self._assemble(widths)
        # Parametrizations that draw in training must not draw while the plain network is filled.
        return placed(model, self.device).eval()

    def _optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Decay on weights, none on biases and norms; the method's own at their own rate."""
        own = self.method.parameter_groups()
        named = dict(model.named_parameters())
        groups: list[dict[str, Any]] = []
        for group in own:
            members = [named.pop(name) for name in list(named) if name.endswith(group.suffix)]
            rate = group.learning_rate
            groups.append({"params": members, "lr": rate, "weight_decay": 0.0, "scheduled": False})
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        for members, decayed in (
            ([parameter for parameter in named.values() if parameter.ndim > 1], decay),
            ([parameter for parameter in named.values() if parameter.ndim <= 1], 0.0),
        ):
            groups.append({"params": members, "lr": rate, "weight_decay": decayed, "scheduled": True})
        if self._on_gpu:  # a recorded step reads its rates from memory
            groups = [{**group, "lr": torch.tensor(group["lr"], device=self.device)} for group in groups]
        groups = [group for group in groups if group["params"]]
        return KINDS[self.settings.optimizer](groups, capturable=self._on_gpu)

    def _set_learning_rate(self, share: float) -> None:
        rate = self.settings.learning_rate * share
        for group in self.optimizer.param_groups:
            if not group["scheduled"]:
                continue
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _rate(self) -> float | Tensor:
        """The learning rate of the weights now; on a GPU a tensor that a recorded step reads."""
        rate: float | Tensor = next(g["lr"] for g in self.optimizer.param_groups if g["scheduled"])
        return rate

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON from which `restore` goes on exactly."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"moment/{name}/{key}"] = value
        return tensors, {
            "widths": self.widths,
            "settled": self.settled,
            "points": [point.to_json() for point in self.points],
        }

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave: widths, network, method, values, optimiser, in this order."""
        self.points = [Point.from_json(line) for line in state["points"]]
        self.widths = dict(state["widths"])
        if state.get("settled"):
            self._settle()
        self.model, self._recorded = self._build(self.widths), None
        self.model.load_state_dict(_below("model/", tensors))
        self.optimizer = self._optimizer(self.model)
        for name, parameter in self.model.named_parameters():
            moments = _below(f"moment/{name}/", tensors)
            if moments:
                self.optimizer.state[parameter] = {
                    key: _laid_out_like(parameter, value) for key, value in moments.items()
                }
        self.classifier = self._plain.follow(self.model, self.widths)


def seed_widths(blueprint: Blueprint, scale: float, depth: float) -> dict[str, int]:
    """The widths at the start; of the blocks that may be left out, a share is there, spread evenly."""
    widths = blueprint.seed_widths(scale)
    for index, block in enumerate(blueprint.blocks):
        if math.ceil((index + 1) * depth) == math.ceil(index * depth):
            widths |= dict.fromkeys(block, 0)
    return widths


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """The value where and as the parameter lies in memory: the fused optimiser step goes by memory alone."""
    return torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _has_fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 numbers in hardware."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # The oldest torch allowed may lack the function.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
