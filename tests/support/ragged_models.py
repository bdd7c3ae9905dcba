"""Models whose inputs differ in length, made on the spot with onnx.helper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_IR_VERSION = 10
_OPSET = 21
_SEED = 20261121
VOCABULARY = 40
WIDTH = 8


def save_masked(path: Path) -> Path:
    """ids and mask, INT64 [batch, length], become three outputs, FP32.

    embedding [batch, 8]: the mean of the vectors where the mask is 1. scores [batch, length, 8]:
    each element's vector. pairs [batch, length, length]: the product of every two of them.
    """
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["scores"]),
        helper.make_node("Cast", ["mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["weights"]),
        helper.make_node("Mul", ["scores", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "along"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "along"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["embedding"]),
        helper.make_node("Transpose", ["scores"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["scores", "turned"], ["pairs"]),
    ]
    outputs = {
        "embedding": ["batch", WIDTH],
        "scores": ["batch", "length", WIDTH],
        "pairs": ["batch", "length", "length"],
    }
    return _save(path, nodes, ["ids", "mask"], outputs)


def save_unmasked(path: Path) -> Path:
    """embedding, FP32 [batch, 8]: the mean of all vectors of ids, what is padded among them."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors", "along"], ["embedding"], keepdims=0),
    ]
    return _save(path, nodes, ["ids"], {"embedding": ["batch", WIDTH]})


def save_doubling(path: Path) -> Path:
    """twice, FP32 [batch, 2 * length, 8]: the vectors of ids, one after another, twice."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["vectors"]),
        helper.make_node("Concat", ["vectors", "vectors"], ["twice"], axis=1),
    ]
    return _save(path, nodes, ["ids"], {"twice": ["batch", "longer", WIDTH]})


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[str],
    outputs: dict[str, list[str | int]],
) -> Path:
    table = np.random.default_rng(_SEED).normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
    constants = {"table": table, "along": np.array([1]), "last": np.array([2])}
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
            for name in inputs
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    opset = helper.make_opsetid("", _OPSET)
    onnx.save(helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[opset]), path)
    return path
