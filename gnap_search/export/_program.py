"""Program: a network as the few steps that a device without PyTorch takes for one image.

The steps are read off the graph of `torch.export`, so that a network whose operations are known here is
understood whatever its modules are called. What follows a convolution and serves nobody else (pooling, a
residual sum, a ReLU) becomes part of its step, and what only renames values becomes none.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram

from gnap_search.errors import UserError
from gnap_search.export import _runtime
from gnap_search.structure.cost import Cost
from gnap_search.structure.model import Classifier

Size = tuple[int, int, int]
"""Channels, height and width; of a vector, height and width are 1."""

aten = torch.ops.aten
IMAGE = 0  # the number of the value that is given
RELU = "v > 0.0f ? v : 0.0f"


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """Makes the value `result`, of that size, out of others; values are known by numbers, in their order."""

    result: int
    sources: tuple[int, ...]
    size: Size


@dataclasses.dataclass(frozen=True, eq=False)
class Pointwise(Step):
    """Each number by itself: the sum of the sources, then C expressions of `v`, one after the other."""

    expressions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Pooling(Step):
    """The greatest number of each window, or its mean; windows end within the image."""

    window: tuple[int, int]
    stride: tuple[int, int]
    mean: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Weighted(Step):
    """A linear map: `weight` is float32, its first axis the outputs; there is a bias for each of them."""

    weight: np.ndarray
    bias: np.ndarray
    activate: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Linear(Weighted):
    """A fully connected layer, and a ReLU where it is activated."""


@dataclasses.dataclass(frozen=True, eq=False)
class Convolution(Weighted):
    """A convolution; then max-pooling by `pool`, the sum with a second source, and a ReLU.

    The weight's other axes are inputs of a group, height and width; `summed` is the size before pooling.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    summed: Size = (0, 0, 0)
    pool: int = 1


@dataclasses.dataclass(frozen=True)
class Program:
    """The steps in their order; the last one makes the logits."""

    steps: tuple[Step, ...]
    shape: Size

    @property
    def sizes(self) -> dict[int, Size]:
        """The size of every value."""
        return {IMAGE: self.shape, **{step.result: step.size for step in self.steps}}

    def cost(self) -> Cost:
        """What the steps keep and compute, by the counting rule."""
        layers = [step for step in self.steps if isinstance(step, Weighted)]
        times = [math.prod(step.summed[1:]) if isinstance(step, Convolution) else 1 for step in layers]
        live = [int(np.count_nonzero(step.weight)) for step in layers]
        biases = sum(step.bias.size for step in layers)
        return Cost(
            parameters=sum(live) + biases,
            weights=sum(live),
            macs=sum(step.weight.size * count for step, count in zip(layers, times, strict=True)),
            live_macs=sum(number * count for number, count in zip(live, times, strict=True)),
            total=sum(step.weight.size for step in layers) + biases,
        )


def read(model: Classifier) -> Program:
    """The steps of a classifier, which is folded.

    Raises:
        UserError: an operation of it is not known here.
    """
    with _runtime.quietly():
        exported = torch.export.export(model.eval(), (torch.zeros(1, *model.blueprint.shape),))
    return Program(tuple(_joined(_Reader(exported).steps())), model.blueprint.shape)


class _Reader:
    """Turns the graph's nodes into steps, one for each node that computes."""

    def __init__(self, exported: ExportedProgram) -> None:
        signature = exported.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self._constants = {name: exported.state_dict[path] for name, path in names.items()}
        self._nodes = list(exported.graph.nodes)
        self._numbers: dict[str, int] = {}
        self._positive: set[int] = set()  # values that no ReLU would change
        self._steps: list[Step] = []

    def steps(self) -> list[Step]:
        for node in self._nodes:
            if node.op == "placeholder" and node.name not in self._constants:
                self._add(node, Pointwise, IMAGE)  # the image is copied once, whatever is done with it
            elif node.op == "call_function":
                handler = HANDLERS.get(node.target)
                if handler is None:
                    raise _unknown(node)
                handler(self, node, _arguments(node))
        return self._steps

    def rename(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        """The input in another shape, or as it is."""
        source = self._source(node, next(iter(given.values())), reshaped=True)
        if math.prod(_shape(node)) != math.prod(self._size(source)):
            raise _unknown(node)
        self._numbers[node.name] = source

    def relu(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        source = self._source(node, given["self"])
        if source in self._positive:
            self._numbers[node.name] = source
            return
        self._positive.add(self._add(node, Pointwise, source, expressions=(RELU,)))

    def clip(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        low, high = (literal(float(given.get(key, other))) for key, other in (("min_val", 0), ("max_val", 6)))
        expression = f"v < {low} ? {low} : v > {high} ? {high} : v"
        self._add(node, Pointwise, self._source(node, given["self"]), expressions=(expression,))

    def arithmetic(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        """A value and a number, or the sum of two values."""
        sign = SIGNS[node.target]  # type: ignore[index]  # an operation of ATen, or it would not be here
        source, other = self._source(node, given["self"]), given["other"]
        if given.get("alpha", 1) != 1:
            raise _unknown(node)
        if isinstance(other, fx.Node) and other.name in self._numbers:
            second = self._source(node, other)
            if sign != "+" or self._size(second) != self._size(source):
                raise _unknown(node)
            self._add(node, Pointwise, source, second)
            return
        value = self._constants.get(other.name) if isinstance(other, fx.Node) else torch.tensor(float(other))
        if value is None or value.numel() != 1:
            raise _unknown(node)
        self._add(node, Pointwise, source, expressions=(f"v {sign} {literal(value.item())}",))

    def convolve(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        weight, bias = self._weights(node, given)
        self._add(
            node,
            Convolution,
            self._source(node, given["input"]),
            weight=weight,
            bias=bias,
            stride=_pair(given["stride"]),
            padding=_pair(given["padding"]),
            dilation=_pair(given["dilation"]),
            groups=given["groups"],
            summed=_size(node),
        )

    def connect(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        weight, bias = self._weights(node, given)
        source = self._source(node, given["input"], reshaped=True)
        if weight.shape[1] != math.prod(self._size(source)):
            raise _unknown(node)
        self._add(node, Linear, source, weight=weight, bias=bias)

    def pool(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        """Max-pooling or average pooling without padding."""
        window = _pair(given["kernel_size"])
        stride = _pair(given["stride"] or window)
        padded = _pair(given["padding"]) != (0, 0) or given["ceil_mode"]
        if padded or _pair(given.get("dilation", 1)) != (1, 1) or given.get("divisor_override"):
            raise _unknown(node)
        mean = node.target is aten.avg_pool2d.default
        self._pooled(node, given["self"], window, stride, mean=mean)

    def mean(self, node: fx.Node, given: Mapping[str, Any]) -> None:
        """The mean over whole maps."""
        source = self._source(node, given["self"])
        axes = {axis % 4 for axis in given.get("dim") or ()}
        if axes != {2, 3} and given.get("output_size") not in ([1, 1], (1, 1)):
            raise _unknown(node)
        window = self._size(source)[1:]
        self._pooled(node, given["self"], window, window, mean=True)

    def _pooled(
        self, node: fx.Node, argument: Any, window: tuple[int, int], stride: tuple[int, int], *, mean: bool
    ) -> None:
        source = self._source(node, argument)
        result = self._add(node, Pooling, source, window=window, stride=stride, mean=mean)
        if source in self._positive:
            self._positive.add(result)

    def _add(self, node: fx.Node, kind: Callable[..., Step], *sources: int, **fields: Any) -> int:
        number = len(self._steps) + 1
        self._steps.append(kind(number, sources, _size(node), **fields))
        self._numbers[node.name] = number
        return number

    def _source(self, node: fx.Node, argument: Any, *, reshaped: bool = False) -> int:
        """The number of a value that the node reads, in the shape that it was made in unless `reshaped`."""
        number = self._numbers.get(getattr(argument, "name", ""))
        if number is None or not (reshaped or self._size(number) == _size(argument)):
            raise _unknown(node)
        return number

    def _size(self, number: int) -> Size:
        return self._steps[number - 1].size

    def _weights(self, node: fx.Node, given: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        found = [self._constants.get(getattr(given[key], "name", "")) for key in ("weight", "bias")]
        weight, bias = (None if value is None else value.detach().numpy() for value in found)
        if weight is None or (bias is None and given["bias"] is not None):
            raise _unknown(node)
        return weight, np.zeros(len(weight), np.float32) if bias is None else bias


SIGNS = {
    aten.sub.Tensor: "-",
    aten.div.Tensor: "/",
    aten.mul.Tensor: "*",
    aten.add.Tensor: "+",
}
HANDLERS: dict[Any, Callable[[_Reader, fx.Node, Mapping[str, Any]], None]] = {
    **dict.fromkeys(SIGNS, _Reader.arithmetic),
    **dict.fromkeys((aten.relu.default, aten.relu_.default), _Reader.relu),
    **dict.fromkeys((aten.hardtanh.default, aten.hardtanh_.default, aten.relu6.default), _Reader.clip),
    aten.conv2d.default: _Reader.convolve,
    aten.linear.default: _Reader.connect,
    **dict.fromkeys((aten.max_pool2d.default, aten.avg_pool2d.default), _Reader.pool),
    **dict.fromkeys((aten.mean.dim, aten.adaptive_avg_pool2d.default), _Reader.mean),
    **dict.fromkeys(
        (
            aten.flatten.using_ints,
            aten.view.default,
            aten.reshape.default,
            aten.squeeze.dims,
            aten.dropout.default,
            aten.clone.default,
            aten.contiguous.default,
        ),
        _Reader.rename,
    ),
}


def literal(value: float) -> str:
    """A number as C reads it, with as many digits as float32 has."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".en") else f"{text}.0f"


def _joined(steps: Sequence[Step]) -> list[Step]:
    """The steps with those that extend the one before them made part of it."""
    uses = [source for step in steps for source in step.sources]
    made: dict[int, Step] = {}
    for step in steps:
        joined, begun = step, None
        for source in step.sources:
            before = made.get(source)
            if before is not None and uses.count(source) == 1:
                longer = _extended(before, step)
                if longer is not None:
                    joined, begun = longer, source
                    break
        if begun is not None:
            del made[begun]
        made[step.result] = joined
    return list(made.values())


def _extended(before: Step, step: Step) -> Step | None:
    """One step instead of two, where that computes the same."""
    longer = dataclasses.replace(before, result=step.result, size=step.size)
    alone = len(step.sources) == 1
    if isinstance(step, Pointwise):
        if isinstance(longer, Pointwise) and alone:
            return dataclasses.replace(longer, expressions=longer.expressions + step.expressions)
        if isinstance(longer, Weighted) and alone and step.expressions == (RELU,):
            return dataclasses.replace(longer, activate=True)
        if not (alone or step.expressions) and _sums_only(before):
            (other,) = (source for source in step.sources if source != before.result)
            return dataclasses.replace(longer, sources=(*before.sources, other))
    elif isinstance(step, Pooling) and isinstance(longer, Convolution) and len(before.sources) == 1:
        side = step.window[0]
        if not step.mean and longer.pool == 1 and step.window == step.stride == (side, side):
            return dataclasses.replace(longer, pool=side)  # it commutes with the ReLU
    return None


def _sums_only(step: Step) -> bool:
    """Whether it is a convolution with nothing behind it, which may take a second source."""
    return isinstance(step, Convolution) and len(step.sources) == 1 and step.pool == 1 and not step.activate


def _arguments(node: fx.Node) -> dict[str, Any]:
    """The node's arguments by name, with their defaults."""
    declared = node.target._schema.arguments  # type: ignore[union-attr]  # an operation of ATen has one
    given = {argument.name: argument.default_value for argument in declared if argument.has_default_value()}
    given = {argument.name: given.get(argument.name) for argument in declared}
    given |= {argument.name: value for argument, value in zip(declared, node.args, strict=False)}
    return given | dict(node.kwargs)


def _shape(node: fx.Node) -> tuple[int, ...]:
    shape: tuple[int, ...] = tuple(node.meta["val"].shape)
    return shape[1:]


def _size(node: fx.Node) -> Size:
    channels, height, width, *more = (*_shape(node), 1, 1)
    if any(size != 1 for size in more):
        raise _unknown(node)
    return channels, height, width


def _pair(value: Any) -> tuple[int, int]:
    """One number for both axes, or a list of one or two."""
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def _unknown(node: fx.Node) -> UserError:
    return UserError(
        f"The format 'c' does not know the operation {node.target} as this network uses it: "
        "export the network as onnx."
    )
