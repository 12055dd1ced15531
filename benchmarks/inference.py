"""Inference: what an exported network costs, with and without its dead channels, beside PyTorch itself.

The network is a plain CNN for 28 x 28 grey images at four times its seed widths, with the zeros that pruning
leaves: half of the channels of every group have neither inputs nor outputs, and of the weights between the
others half are zero, about 87 % in all. Dense is the file of all channels, compacted the file of those that
are left after surgery: the same function, and every variant is checked to compute it, on one thread.
C is what `export --format c` writes, compiled with -O3 -march=native; it leaves out the zeros of either.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.rounds import Figure, measured
from gnap_search.export import c, onnx
from gnap_search.networks import plain_cnn
from gnap_search.structure import Shape, surgery
from gnap_search.structure.model import Blueprint, Classifier
from gnap_search.structure.slots import Liveness, find
from gnap_search.threads import one_thread

SHAPE: Shape = (1, 28, 28)
SCALE, DEAD_SHARE, ZERO_SHARE = 4.0, 0.5, 0.5
BATCHES = (1, 64)
LEAST = 0.5  # seconds of calls behind a value
NOTHING = np.zeros((0, *SHAPE), np.float32)  # images that these formats do not ask for

Predict = Callable[[np.ndarray], np.ndarray]


def figures(*, small: bool) -> list[Figure]:
    """Microseconds an image for each variant, their ratios, and the files' bytes."""
    dense = pruned(0.5 if small else SCALE)
    compact = compacted(dense)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        files = {"dense": Path(folder) / "dense.onnx", "compacted": Path(folder) / "compacted.onnx"}
        for name, model in (("dense", dense), ("compacted", compact)):
            onnx.save(model, files[name], {}, NOTHING)
            c.save(model, files[name].with_suffix(".c"), {}, NOTHING)
        variants = {
            "PyTorch, dense": _eager(dense),
            "PyTorch, compacted": _eager(compact),
            "ONNX, dense": onnx.load(files["dense"], SHAPE).predict,
            "ONNX, compacted": onnx.load(files["compacted"], SHAPE).predict,
            "C, dense": c.load(files["dense"].with_suffix(".c"), SHAPE).predict,
            "C, compacted": c.load(files["compacted"].with_suffix(".c"), SHAPE).predict,
        }
        sizes = [Figure(f"{name} file", "bytes", [file.stat().st_size]) for name, file in files.items()]
        speeds = [one for size in BATCHES for one in _speeds(variants, size, 0.01 if small else LEAST)]
    return [*speeds, *sizes, sizes[0].over(sizes[1], "dense file / compacted file")]


def pruned(scale: float) -> Classifier:
    """A plain CNN of that scale with the zeros of a pruned one, all of its channels still there."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    widths = plain_cnn.seed_widths(SHAPE, scale)
    model = Classifier(Blueprint("plain-cnn", SHAPE, 10), widths, 0.13, 0.31)
    values = model.network.state_dict()
    for group, slots in find(model.blueprint.build, widths).items():
        dead = torch.randperm(widths[group], generator=generator)[: int(widths[group] * DEAD_SHARE)]
        for slot in slots:
            if slot.path.endswith(".weight"):
                values[slot.path].index_fill_(slot.axis, slot.entries(dead), 0.0)
    for path, value in values.items():
        if path.endswith(".weight"):
            value.mul_(torch.rand(value.shape, generator=generator) >= ZERO_SHARE)
    return model.eval()


def compacted(model: Classifier) -> Classifier:
    """The same function without the dead channels."""
    alive = Liveness(model.blueprint, model.widths)(model.network, model.widths)
    operation = surgery.Operation(model.widths, surgery.remaining(alive, frozenset()))
    smaller = Classifier(model.blueprint, operation.widths, float(model.mean), float(model.deviation))
    slots = find(model.blueprint.build, model.widths)
    operation.transfer(slots, model.network.state_dict(), smaller.network.state_dict())
    return smaller.eval()


def _eager(model: Classifier) -> Predict:
    folded = model.fold().to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = folded(torch.from_numpy(images)).numpy()
        return logits

    return predict


def _speeds(variants: dict[str, Predict], size: int, least: float) -> list[Figure]:
    images = np.random.default_rng(0).random((size, *SHAPE), np.float32)
    expected, *rest = (predict(images) for predict in variants.values())
    for outputs in rest:
        np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-4)
    calls = {
        name: functools.partial(_microseconds, predict, images, least) for name, predict in variants.items()
    }
    speeds = measured(calls, "µs/image")
    others = [name for name in speeds if name.startswith(("PyTorch", "ONNX, dense"))]
    ratios = [_ratio(speeds, name, "ONNX, compacted", size) for name in others]
    compiled = [_ratio(speeds, f"ONNX, {name}", f"C, {name}", size) for name in ("dense", "compacted")]
    if size == 1:  # what C is written for
        compiled = [one.asked(at_least=1) for one in compiled]
    named = (dataclasses.replace(one, name=f"{one.name}, batch {size}") for one in speeds.values())
    return [*named, *ratios, *compiled]


def _ratio(speeds: dict[str, Figure], one: str, other: str, size: int) -> Figure:
    return speeds[one].over(speeds[other], f"{one} / {other}, batch {size}")


def _microseconds(predict: Predict, images: np.ndarray, least: float) -> float:
    """Microseconds an image, over as many calls as fill the least time."""
    predict(images)
    start, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < least:
        predict(images)
        calls += 1
    return 1e6 * spent / (calls * len(images))
