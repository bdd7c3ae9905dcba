"""What a model of the sweep is: how it is built, what it is asked, whether its rows share runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# The helper's own defaults are newer than what ONNX Runtime reads.
_IR_VERSION = 10
_OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]

Arrays = dict[str, NDArray[Any]]
Dims = Sequence[int | str | None] | None

ELEMENT_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """`make(random, rows)` draws the inputs of one request; `rows` are the numbers of them that a
    request may have, (0,) where a request has none. `batches` is what the probe must find out."""

    name: str
    model: onnx.ModelProto
    make: Callable[[np.random.Generator, int], Arrays]
    rows: tuple[int, ...] = (1, 2, 3)
    batches: bool = True
    # Outputs that are no tensors, as the tensors that they are served as, by name.
    flatten: Callable[[dict[str, Any]], Arrays] | None = None


def value(name: str, datatype: str, dims: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[datatype], dims)


def constant(name: str, values: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values).astype(dtype), name)


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    return helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=_OPSETS)


def draw(random: np.random.Generator, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Elements over the whole range of a type; for floating point normal noise."""
    if datatype == "BYTES":
        letters = np.array(["", "a", "bc", "\u00e4\u20ac", "x" * 70, "7"], object)
        return letters[random.integers(0, len(letters), shape)]
    if datatype == "BOOL":
        return random.integers(0, 2, shape).astype(np.bool_)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(ELEMENT_TYPES[datatype]))
    if dtype.kind == "f":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def drawing(**inputs: tuple[str, Sequence[int]]) -> Callable[[np.random.Generator, int], Arrays]:
    """Inputs of these types and inner dimensions, behind a batch of rows."""

    def make(random: np.random.Generator, rows: int) -> Arrays:
        return {
            name: draw(random, datatype, (rows, *inner))
            for name, (datatype, inner) in inputs.items()
        }

    return make


def drawing_fixed(
    **inputs: tuple[str, Sequence[int]],
) -> Callable[[np.random.Generator, int], Arrays]:
    """Inputs of these types and whole shapes."""

    def make(random: np.random.Generator, _: int) -> Arrays:
        return {name: draw(random, *of) for name, of in inputs.items()}

    return make
