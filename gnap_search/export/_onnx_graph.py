"""The inside of an ONNX model: what it holds, what it costs, and which of it nobody needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnap_search.structure.cost import Cost

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from onnxruntime import InferenceSession

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
STATISTICS = slice(3, 5)  # the inputs of a BatchNormalization that are measured, not learnt

Shapes = dict[str, tuple[int, ...]]


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


def cost(proto: ModelProto, image: str, batch: Sequence[int]) -> Cost:
    """The graph's cost for one image, by the counting rule as far as the graph shows it.

    Float constants of one value count only where they are a weight or a bias (others normalise or scale);
    constants with two axes and more are weights, the others biases and affine values. `batch` is the shape
    of what `image` may be fed with.
    """
    values = dict(_values(proto))
    operands = {name for node in proto.graph.node if node.op_type in MULTIPLYING for name in node.input[1:]}
    counted = {
        name: value
        for name, value in values.items()
        if value.dtype.kind == "f" and (value.size > 1 or name in operands)
    }
    for node in proto.graph.node:
        if node.op_type == "BatchNormalization":
            for statistic in node.input[STATISTICS]:
                counted.pop(statistic, None)
    weights = sum(int(np.count_nonzero(value)) for value in counted.values() if value.ndim > 1)
    affine = sum(value.size for value in counted.values() if value.ndim == 1)
    macs = live_macs = 0
    for node, products in _products(proto, values, image, batch):
        macs += products
        weight = values.get(node.input[1], np.ones(1))
        live_macs += products * int(np.count_nonzero(weight)) // weight.size
    total = sum(value.size for value in counted.values())
    return Cost(weights + affine, weights, macs // batch[0], live_macs // batch[0], total)


def _values(proto: ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    """Every constant by name: initialisers, and nodes that only hold a tensor."""
    from onnx import numpy_helper

    for tensor in proto.graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            yield node.output[0], numpy_helper.to_array(node.attribute[0].t)


def _products(
    proto: ModelProto, values: dict[str, np.ndarray], image: str, batch: Sequence[int]
) -> Iterator[tuple[NodeProto, int]]:
    """Each multiplying node with its number of multiply-accumulates for the whole batch."""
    nodes = [node for node in proto.graph.node if node.op_type in MULTIPLYING]
    shapes = {name: value.shape for name, value in values.items()} | {image: tuple(batch)}
    shapes |= _observed(proto, nodes, shapes, image, batch)
    for node in nodes:
        left, right, result = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
        if node.op_type == "Conv":
            yield node, math.prod(result) * math.prod(right[1:])
        elif node.op_type == "ConvTranspose":
            yield node, math.prod(left) * math.prod(right[1:])
        else:
            yield node, math.prod(result) * left[0 if _transposed(node) else -1]


def _transposed(node: NodeProto) -> bool:
    return any(attribute.name == "transA" and attribute.i for attribute in node.attribute)


def _observed(
    proto: ModelProto, nodes: Sequence[NodeProto], known: Shapes, image: str, batch: Sequence[int]
) -> Shapes:
    """The shapes that the nodes read and write, from one run on blank images: no inference can fall short."""
    import onnx

    wanted = {name for node in nodes for name in (*node.input[:2], node.output[0])} - known.keys()
    if not wanted:
        return {}
    opened = onnx.ModelProto()
    opened.CopyFrom(proto)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted))
    run = session(opened.SerializeToString(), optimised=False)
    results = run.run(sorted(wanted), {image: np.zeros(batch, np.float32)})
    return {name: result.shape for name, result in zip(sorted(wanted), results, strict=True)}
