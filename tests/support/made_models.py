"""Models that only the integration tests need, made on the spot with onnx.helper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The helper's own defaults are newer than what ONNX Runtime reads.
_IR_VERSION = 10
_OPSET = 21
_SEED = 20261121


def save_slow(path: Path, *, layers: int = 300, width: int = 1024) -> Path:
    """y = x W ... W: batchable, all shapes fixed, about 50 ms a row on a small machine."""
    random = np.random.default_rng(_SEED)
    weights = random.normal(0, width**-0.5, (width, width)).astype(np.float32)
    names = ["x", *(f"h{layer}" for layer in range(1, layers)), "y"]
    nodes = [
        helper.make_node("MatMul", [source, "w"], [target])
        for source, target in zip(names, names[1:], strict=False)
    ]
    return _save(path, nodes, TensorProto.FLOAT, width, [numpy_helper.from_array(weights, "w")])


def save_counting(path: Path) -> Path:
    """y[0] is the sum of 0 .. x[0] - 1, added up one by one: as slow as its input says.

    Nothing in the graph says so, as no operator that branches or loops is in it.
    """
    nodes = [
        helper.make_node("Squeeze", ["x"], ["limit"]),
        helper.make_node("Range", ["zero", "limit", "one"], ["numbers"]),
        helper.make_node("ReduceSum", ["numbers"], ["sum"], keepdims=0),
        helper.make_node("Reshape", ["sum", "shape"], ["y"]),
    ]
    values = {"zero": np.float32(0), "one": np.float32(1), "shape": np.array([1], np.int64)}
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "graph", [x], [y], constants)
    opset = helper.make_opsetid("", _OPSET)
    onnx.save(helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[opset]), path)
    return path


def save_columns(path: Path) -> Path:
    """An input for each column, of four datatypes and two ranks: sum = height + age, known = city,
    guest = not member."""
    inputs = {
        "age": (TensorProto.INT64, ["batch", 1]),
        "height": (TensorProto.FLOAT, ["batch", 1]),
        "city": (TensorProto.STRING, ["batch"]),
        "member": (TensorProto.BOOL, ["batch"]),
    }
    outputs = {"sum": inputs["height"], "known": inputs["city"], "guest": inputs["member"]}
    nodes = [
        helper.make_node("Cast", ["age"], ["years"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["height", "years"], ["sum"]),
        helper.make_node("Identity", ["city"], ["known"]),
        helper.make_node("Not", ["member"], ["guest"]),
    ]
    described = [
        [helper.make_tensor_value_info(name, *kind) for name, kind in tensors.items()]
        for tensors in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "graph", *described)
    opset = helper.make_opsetid("", _OPSET)
    onnx.save(helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[opset]), path)
    return path


def save_add(path: Path, element_type: int) -> Path:
    """y = x + x over [batch, 3]."""
    return _save(path, [helper.make_node("Add", ["x", "x"], ["y"])], element_type, 3, [])


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    element_type: int,
    width: int,
    initializers: list[onnx.TensorProto],
) -> Path:
    x, y = (
        helper.make_tensor_value_info(name, element_type, ["batch", width]) for name in ("x", "y")
    )
    graph = helper.make_graph(nodes, "graph", [x], [y], initializers)
    opset = helper.make_opsetid("", _OPSET)
    onnx.save(helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[opset]), path)
    return path
