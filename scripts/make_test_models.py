"""Makes the small ONNX models that the C++ tests and benchmarks load.

Usage: python scripts/make_test_models.py DIRECTORY

Every model is a few kB, made with a fixed seed, and shows one property that the session layer or
the warm-up must notice. Needs `onnx` and `numpy`. The helper's own defaults are newer than what
ONNX Runtime reads, so the IR version and the opset are said here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_IR_VERSION = 10
_OPSET = 21
_ML_OPSET = 3
_SEED = 20261121

Model = onnx.ModelProto
Dims = list[int | str | None] | None


def main() -> None:
    """Writes every model into the directory named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    for name, build in _BUILDERS.items():
        onnx.save(build(), directory / f"{name}.onnx")
    for name, element_type in _IDENTITY_TYPES.items():
        onnx.save(_identity(element_type), directory / f"identity_{name}.onnx")


def _mlp() -> Model:
    """64-128-64-10, FP32, symbolic batch: the model that the README measures."""
    random = np.random.default_rng(_SEED)
    sizes = [64, 128, 64, 10]
    nodes, weights = [], []
    current = "x"
    for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:], strict=False)):
        scale = np.sqrt(2.0 / rows)
        weights.append(_constant(f"w{layer}", random.normal(0, scale, (rows, columns))))
        weights.append(_constant(f"b{layer}", random.normal(0, 0.1, columns)))
        last = layer == len(sizes) - 2
        product = "y" if last else f"gemm{layer}"
        nodes.append(helper.make_node("Gemm", [current, f"w{layer}", f"b{layer}"], [product]))
        if not last:
            current = f"relu{layer}"
            nodes.append(helper.make_node("Relu", [product], [current]))
    return _model(nodes, [_float("x", ["batch", 64])], [_float("y", ["batch", 10])], weights)


def _identity(element_type: int) -> Model:
    value = [helper.make_tensor_value_info(name, element_type, ["batch", 3]) for name in ("x", "y")]
    return _model([helper.make_node("Identity", ["x"], ["y"])], value[:1], value[1:])


def _two_by_two() -> Model:
    """Two inputs, two outputs: the order of names matters."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Mul", ["a", "b"], ["product"]),
    ]
    dims: Dims = ["batch", 4]
    return _model(
        nodes,
        [_float("a", dims), _float("b", dims)],
        [_float("sum", dims), _float("product", dims)],
    )


def _many_inputs() -> Model:
    """Twenty of each: more than fits in the arrays that a run keeps on its stack."""
    names = [f"x{i}" for i in range(20)]
    nodes = [helper.make_node("Neg", [name], [f"{name}_negated"]) for name in names]
    return _model(
        nodes,
        [_float(name, ["batch", 2]) for name in names],
        [_float(f"{name}_negated", ["batch", 2]) for name in names],
    )


def _time_major() -> Model:
    """A running sum over the first dimension: symbolic, yet its rows are not independent."""
    axis = _constant("axis", np.array(0), np.int64)
    node = helper.make_node("CumSum", ["x", "axis"], ["y"])
    return _model([node], [_float("x", ["time", 4])], [_float("y", ["time", 4])], [axis])


def _reduce_rows() -> Model:
    """The mean over the first dimension: one row comes back, however many went in."""
    axes = _constant("axes", np.array([0]), np.int64)
    node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)
    return _model([node], [_float("x", ["batch", 4])], [_float("y", [1, 4])], [axes])


def _wrong_output_shape() -> Model:
    """Declares one output element and returns one for each row, as some exporters do."""
    axes = _constant("axes", np.array([1]), np.int64)
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    model = _model([node], [_float("x", ["batch", 4])], [_float("y", [None])], [axes])
    return model


def _lying_batch() -> Model:
    """Declares one row and returns all; within its graph nothing contradicts it."""
    width = _constant("width", np.array([-1, 4]), np.int64)
    node = helper.make_node("Reshape", ["x", "width"], ["y"])
    return _model([node], [_float("x", ["batch", 4])], [_float("y", [1, 4])], [width])


def _hidden_one_row() -> Model:
    """Exported for one row, declared for any: two rows do not fit its Reshape."""
    row = _constant("row", np.array([1, 4]), np.int64)
    node = helper.make_node("Reshape", ["x", "row"], ["y"])
    return _model([node], [_float("x", ["batch", 4])], [_float("y", ["batch", 4])], [row])


def _scalar_output() -> Model:
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    return _model([node], [_float("x", ["batch", 4])], [_float("y", [])])


def _centered() -> Model:
    """Takes the mean over rows from each: the shape is that of a batch, the values are not."""
    axes = _constant("axes", np.array([0]), np.int64)
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    dims: Dims = ["batch", 4]
    return _model(nodes, [_float("x", dims)], [_float("y", dims)], [axes])


def _fixed_batch() -> Model:
    node = helper.make_node("Relu", ["x"], ["y"])
    return _model([node], [_float("x", [1, 4])], [_float("y", [1, 4])])


def _free_inner() -> Model:
    node = helper.make_node("Relu", ["x"], ["y"])
    dims: Dims = ["batch", "width", 2]
    return _model([node], [_float("x", dims)], [_float("y", dims)])


def _loop() -> Model:
    """Doubles x as often as `count` says: its cost depends on the data."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "state"], ["state_next"]),
            helper.make_node("Identity", ["go"], ["go_next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _float("state", [None, None]),
        ],
        [
            helper.make_tensor_value_info("go_next", TensorProto.BOOL, []),
            _float("state_next", [None, None]),
        ],
    )
    node = helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)
    count = helper.make_tensor_value_info("count", TensorProto.INT64, [])
    return _model([node], [count, _float("x", ["batch", 4])], [_float("y", ["batch", 4])])


def _strings_joined() -> Model:
    """Two strings become one: a batch of rank 1."""
    node = helper.make_node("StringConcat", ["a", "b"], ["joined"])
    values = [
        helper.make_tensor_value_info(name, TensorProto.STRING, ["batch"])
        for name in ("a", "b", "joined")
    ]
    return _model([node], values[:2], values[2:])


def _strings_and_numbers() -> Model:
    """Each becomes the other."""
    nodes = [
        helper.make_node("Cast", ["text"], ["parsed"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["number"], ["printed"], to=TensorProto.STRING),
    ]
    dims: Dims = ["batch", 1]
    return _model(
        nodes,
        [
            helper.make_tensor_value_info("text", TensorProto.STRING, dims),
            helper.make_tensor_value_info("number", TensorProto.INT64, dims),
        ],
        [
            _float("parsed", dims),
            helper.make_tensor_value_info("printed", TensorProto.STRING, dims),
        ],
    )


def _strings_split() -> Model:
    """Splits at spaces and pads to the longest: a row's answer depends on its neighbours."""
    node = helper.make_node("StringSplit", ["x"], ["words", "count"])
    return _model(
        [node],
        [helper.make_tensor_value_info("x", TensorProto.STRING, ["batch"])],
        [
            helper.make_tensor_value_info("words", TensorProto.STRING, ["batch", "words"]),
            helper.make_tensor_value_info("count", TensorProto.INT64, ["batch"]),
        ],
    )


def _complex() -> Model:
    return _identity(TensorProto.COMPLEX64)


def _sequence() -> Model:
    """A tensor goes in, a sequence of one tensor comes out."""
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    return _model([node], [_float("x", ["batch", 4])], [y])


def _zipmap(**labels: list[int] | list[str]) -> Model:
    """A classifier as scikit-learn's converters write it: labels, and a map of scores a row.

    The classes do not stand in ascending order, as the maps' keys will.
    """
    nodes = [
        helper.make_node("Softmax", ["x"], ["scores"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["scores"], ["probability"], domain="ai.onnx.ml", **labels),
    ]
    key = TensorProto.INT64 if "classlabels_int64s" in labels else TensorProto.STRING
    score = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(key, score))
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        helper.make_value_info("probability", maps),
    ]
    return _model(nodes, [_float("x", ["batch", 3])], outputs)


def _zipmap_int() -> Model:
    return _zipmap(classlabels_int64s=[20, -10, 30])


def _zipmap_string() -> Model:
    return _zipmap(classlabels_strings=["dog", "bee", "cat"])


def _zipmap_taken() -> Model:
    """A model that has an output of the name that the keys would get."""
    model = _zipmap_int()
    model.graph.node.append(helper.make_node("Neg", ["x"], ["probability_labels"]))
    model.graph.output.append(_float("probability_labels", ["batch", 3]))
    return model


def _sequence_of_rows() -> Model:
    """Each row on its own, in a sequence: stacked they are the batch again."""
    node = helper.make_node("SplitToSequence", ["x"], ["y"], axis=0, keepdims=0)
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, [4])
    return _model([node], [_float("x", ["batch", 4])], [y])


def _sequence_strings() -> Model:
    node = helper.make_node("SequenceConstruct", ["x", "x"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.STRING, ["batch"])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.STRING, None)
    return _model([node], [x], [y])


def _sequence_unequal() -> Model:
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=1),
        helper.make_node("SequenceConstruct", ["x", "sum"], ["y"]),
    ]
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    return _model(nodes, [_float("x", ["batch", 4])], [y])


def _sequence_input() -> Model:
    node = helper.make_node("SequenceLength", ["x"], ["y"])
    x = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    return _model([node], [x], [helper.make_tensor_value_info("y", TensorProto.INT64, [])])


def _optional(node: onnx.NodeProto) -> Model:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, ["batch", 4])
    y = helper.make_value_info("y", helper.make_optional_type_proto(tensor))
    relu = helper.make_node("Relu", ["x"], ["z"])
    dims: Dims = ["batch", 4]
    return _model([relu, node], [_float("x", dims)], [_float("z", dims), y])


def _optional_output() -> Model:
    return _optional(helper.make_node("Optional", ["x"], ["y"]))


def _optional_empty() -> Model:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, ["batch", 4])
    return _optional(helper.make_node("Optional", [], ["y"], type=tensor))


def _rank_nine() -> Model:
    dims: Dims = ["batch", 1, 1, 1, 1, 1, 1, 1, 2]
    node = helper.make_node("Relu", ["x"], ["y"])
    return _model([node], [_float("x", dims)], [_float("y", dims)])


def _no_shape() -> Model:
    node = helper.make_node("Relu", ["x"], ["y"])
    return _model([node], [_float("x", None)], [_float("y", None)])


def _gather(entries: int = 10) -> Model:
    """Rows of a table; an index outside it is the request's fault."""
    table = _constant("table", np.arange(4 * entries).reshape(entries, 4))
    node = helper.make_node("Gather", ["table", "index"], ["y"], axis=0)
    index = helper.make_tensor_value_info("index", TensorProto.INT64, ["batch"])
    return _model([node], [index], [_float("y", ["batch", 4])], [table])


def _scalar() -> Model:
    node = helper.make_node("Neg", ["x"], ["y"])
    return _model([node], [_float("x", [])], [_float("y", [])])


def _drops_rows() -> Model:
    """Leaves out what is below -5, which no probe sends: declared a batch, and not always one."""
    limit = _constant("limit", np.array(-5))
    nodes = [
        helper.make_node("Greater", ["x", "limit"], ["kept"]),
        helper.make_node("Compress", ["x", "kept"], ["y"], axis=0),
    ]
    return _model(nodes, [_float("x", ["batch"])], [_float("y", ["batch"])], [limit])


def _reshape_fails() -> Model:
    """Reshapes to a fixed six elements: right for [batch=2,3] alone, an engine error else."""
    shape = _constant("shape", np.array([6]), np.int64)
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    return _model([node], [_float("x", ["batch", 3])], [_float("y", [6])], [shape])


def _float(name: str, dims: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def _constant(name: str, values: np.ndarray, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values).astype(dtype), name)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto] | None = None,
) -> Model:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers or [])
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    return helper.make_model(
        graph, ir_version=_IR_VERSION, opset_imports=opsets, producer_name="penstock-tests"
    )


_BUILDERS: dict[str, Callable[[], Model]] = {
    "mlp": _mlp,
    "two_by_two": _two_by_two,
    "many_inputs": _many_inputs,
    "time_major": _time_major,
    "reduce_rows": _reduce_rows,
    "wrong_output_shape": _wrong_output_shape,
    "fixed_batch": _fixed_batch,
    "free_inner": _free_inner,
    "loop": _loop,
    "strings_joined": _strings_joined,
    "strings_and_numbers": _strings_and_numbers,
    "strings_split": _strings_split,
    "complex": _complex,
    "sequence": _sequence,
    "sequence_of_rows": _sequence_of_rows,
    "sequence_strings": _sequence_strings,
    "sequence_unequal": _sequence_unequal,
    "sequence_input": _sequence_input,
    "optional_output": _optional_output,
    "optional_empty": _optional_empty,
    "zipmap_int": _zipmap_int,
    "zipmap_string": _zipmap_string,
    "zipmap_taken": _zipmap_taken,
    "rank_nine": _rank_nine,
    "no_shape": _no_shape,
    "gather": _gather,
    "gather_two": lambda: _gather(2),
    "gather_one": lambda: _gather(1),
    "lying_batch": _lying_batch,
    "hidden_one_row": _hidden_one_row,
    "scalar_output": _scalar_output,
    "centered": _centered,
    "scalar": _scalar,
    "drops_rows": _drops_rows,
    "reshape_fails": _reshape_fails,
}

_IDENTITY_TYPES: dict[str, int] = {
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "fp16": TensorProto.FLOAT16,
    "fp32": TensorProto.FLOAT,
    "fp64": TensorProto.DOUBLE,
    "bf16": TensorProto.BFLOAT16,
    "bytes": TensorProto.STRING,
}


if __name__ == "__main__":
    main()
