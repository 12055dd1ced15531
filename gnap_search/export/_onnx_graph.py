"""The inside of an ONNX model: what it holds, what it costs, and which of it nobody needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnap_search.structure.cost import Cost

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from onnxruntime import InferenceSession

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
QUANTISING = ("QuantizeLinear", "DequantizeLinear")
STATISTICS = slice(3, 5)  # the inputs of a BatchNormalization that are measured, not learnt


def strip(proto: ModelProto) -> None:
    """Remove the tracer's notes, which repeat source code and its place on the exporting machine."""
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]


def session(model: str | bytes, *, optimised: bool = True) -> InferenceSession:
    """The model, given as a path or as bytes, in a silent onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal: everything else is raised as well
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def runtime_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its errors have no class in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(
        kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)
    )


class Graph:
    """A model's graph with the shapes that its values take for a batch of blank images."""

    def __init__(self, proto: ModelProto, image: str, batch: Sequence[int]) -> None:
        """`batch` is the shape of what `image` may be fed with."""
        self._nodes, self._image, self._batch = list(proto.graph.node), image, tuple(batch)
        self._stored = dict(_values(proto))
        self._values = {**self._stored, **dict(_dequantised(self._nodes, self._stored))}
        self._results = _observed(proto, image, batch)

    def cost(self) -> Cost:
        """What one image costs, by the counting rule as far as the graph shows it.

        Float constants of one value count only where they are a weight or a bias (others normalise or scale);
        constants with two axes and more are weights, the others biases and affine values. What is kept in
        whole numbers counts as the floats that it stands for.
        """
        counted = self._counted()
        weights = sum(int(np.count_nonzero(value)) for value in counted.values() if value.ndim > 1)
        affine = sum(value.size for value in counted.values() if value.ndim == 1)
        macs = live_macs = 0
        for node, products in self._products():
            macs += products
            weight = self._values.get(node.input[1], np.ones(1))
            live_macs += products * int(np.count_nonzero(weight)) // weight.size
        total = sum(value.size for value in counted.values())
        images = self._batch[0]
        return Cost(weights + affine, weights, macs // images, live_macs // images, total)

    def memory(self) -> int:
        """Bytes of all constants, of one image, and of the most results that are alive at once for it.

        What is made of whole numbers, or into them, on its way through a layer is not kept.
        """
        bytes_of = {name: value.nbytes // self._batch[0] for name, value in self._results.items()}
        passing = {node.output[0] for node in self._nodes if node.op_type == "DequantizeLinear"}
        passing |= {node.input[0] for node in self._nodes if node.op_type == "QuantizeLinear"}
        last = {name: index for index, node in enumerate(self._nodes) for name in node.input}
        alive: set[str] = set()
        most = 0
        for index, node in enumerate(self._nodes):
            alive |= {name for name in node.output if name in bytes_of} - passing
            most = max(most, sum(bytes_of[name] for name in alive))
            alive -= {name for name in node.input if last[name] == index}
        image = 4 * math.prod(self._batch[1:])
        return sum(value.nbytes for value in self._stored.values()) + image + most

    def _counted(self) -> dict[str, np.ndarray]:
        """The constants that are weights, biases and affine values."""
        operands = {name for node in self._nodes if node.op_type in MULTIPLYING for name in node.input[1:]}
        counted = {
            name: value
            for name, value in self._values.items()
            if value.dtype.kind == "f" and (value.size > 1 or name in operands)
        }
        for node in self._nodes:
            measured = STATISTICS if node.op_type == "BatchNormalization" else slice(0, 0)
            if node.op_type in QUANTISING:
                measured = slice(1, 3)  # its scale and its zero point
            for name in node.input[measured]:
                counted.pop(name, None)
        return counted

    def _products(self) -> Iterator[tuple[NodeProto, int]]:
        """Each multiplying node with its number of multiply-accumulates for the whole batch."""
        shapes = {name: value.shape for name, value in {**self._results, **self._values}.items()}
        shapes[self._image] = self._batch
        for node in self._nodes:
            if node.op_type not in MULTIPLYING:
                continue
            left, right, result = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
            if node.op_type == "Conv":
                yield node, math.prod(result) * math.prod(right[1:])
            elif node.op_type == "ConvTranspose":
                yield node, math.prod(left) * math.prod(right[1:])
            else:
                yield node, math.prod(result) * left[0 if _transposed(node) else -1]


def _values(proto: ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    """Every constant by name: initialisers, and nodes that only hold a tensor."""
    from onnx import numpy_helper

    for tensor in proto.graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            yield node.output[0], numpy_helper.to_array(node.attribute[0].t)


def _dequantised(
    nodes: Sequence[NodeProto], stored: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """The floats that constants of whole numbers stand for, under the names that layers know them by."""
    for node in nodes:
        if node.op_type == "DequantizeLinear" and all(name in stored for name in node.input):
            value, scale, *zero = (stored[name] for name in node.input)
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            along = [-1 if index == axis and scale.size > 1 else 1 for index in range(value.ndim)]
            moved = value.astype(np.int64) - (zero[0].astype(np.int64).reshape(along) if zero else 0)
            yield node.output[0], (moved * scale.reshape(along)).astype(np.float32)


def _transposed(node: NodeProto) -> bool:
    return any(attribute.name == "transA" and attribute.i for attribute in node.attribute)


def _observed(proto: ModelProto, image: str, batch: Sequence[int]) -> dict[str, np.ndarray]:
    """All results of one run on blank images: no inference of shapes can fall short of it."""
    import onnx

    names = sorted({name for node in proto.graph.node for name in node.output if name})
    opened = onnx.ModelProto()
    opened.CopyFrom(proto)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    run = session(opened.SerializeToString(), optimised=False)
    results = run.run(names, {image: np.zeros(batch, np.float32)})
    return {name: value for name, value in zip(names, results, strict=True) if isinstance(value, np.ndarray)}
