"""The models of the sweep: every kind that issue 3 names, several of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from conformance.model_sweep.served_model import (
    ELEMENT_TYPES,
    Arrays,
    ServedModel,
    build,
    constant,
    draw,
    drawing,
    drawing_fixed,
    value,
)
from numpy.typing import NDArray
from onnx import TensorProto, helper

_SEED = 20261121
node = helper.make_node


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(_SEED).normal(0, shape[0] ** -0.5, shape).astype(np.float32)


def every_type() -> Iterator[ServedModel]:
    """Each type through a real operator; its elements keep every bit."""
    for datatype in ELEMENT_TYPES:
        x, y = value("x", datatype, ["batch", 3]), value("y", datatype, ["batch", 6])
        yield ServedModel(
            name=f"concat_{datatype.lower()}",
            model=build([node("Concat", ["x", "x"], ["y"], axis=1)], [x], [y]),
            make=drawing(x=(datatype, (3,))),
        )
    for source, target in (("UINT8", "FP32"), ("FP16", "FP64"), ("INT64", "BOOL")):
        x, y = value("x", source, ["batch", 5]), value("y", target, ["batch", 5])
        yield ServedModel(
            name=f"cast_{source.lower()}_{target.lower()}",
            model=build([node("Cast", ["x"], ["y"], to=ELEMENT_TYPES[target])], [x], [y]),
            make=drawing(x=(source, (5,))),
        )


def arithmetic() -> Iterator[ServedModel]:
    """What a real model is made of."""
    x16 = value("x", "FP32", ["batch", 16])
    for name, nodes, constants, width in (
        ("gemm", [node("Gemm", ["x", "w"], ["y"])], [constant("w", weights(16, 7))], 7),
        (
            "mlp",
            [node("MatMul", ["x", "w"], ["h"]), node("Tanh", ["h"], ["t"]),
             node("MatMul", ["t", "v"], ["y"])],
            [constant("w", weights(16, 64)), constant("v", weights(64, 3))],
            3,
        ),
        ("softmax", [node("Softmax", ["x"], ["y"], axis=1)], [], 16),
        (
            "layer_norm",
            [node("LayerNormalization", ["x", "scale"], ["y"])],
            [constant("scale", np.ones(16))],
            16,
        ),
        ("cumsum_of_columns", [node("CumSum", ["x", "axis"], ["y"])],
         [constant("axis", 1, np.int64)], 16),
        ("quantize", [node("QuantizeLinear", ["x", "scale"], ["q"]),
                      node("DequantizeLinear", ["q", "scale"], ["y"])],
         [constant("scale", 0.02)], 16),
    ):  # fmt: skip
        y = value("y", "FP32", ["batch", width])
        yield ServedModel(
            name=name, model=build(nodes, [x16], [y], constants), make=drawing(x=("FP32", (16,)))
        )
    yield ServedModel(
        name="gemm_fp64",
        model=build(
            [node("MatMul", ["x", "w"], ["y"])],
            [value("x", "FP64", ["batch", 4])],
            [value("y", "FP64", ["batch", 5])],
            [constant("w", weights(4, 5), np.float64)],
        ),
        make=drawing(x=("FP64", (4,))),
    )
    yield ServedModel(
        name="convolution",
        model=build(
            [node("Conv", ["x", "w"], ["c"]), node("GlobalAveragePool", ["c"], ["y"])],
            [value("x", "FP32", ["batch", 3, 8, 8])],
            [value("y", "FP32", ["batch", 4, 1, 1])],
            [constant("w", weights(4, 3, 3, 3))],
        ),
        make=drawing(x=("FP32", (3, 8, 8))),
    )
    table = constant("table", weights(10, 4))
    yield ServedModel(
        name="embedding",
        model=build(
            [node("Gather", ["table", "index"], ["y"])],
            [value("index", "INT64", ["batch", "length"])],
            [value("y", "FP32", ["batch", "length", 4])],
            [table],
        ),
        make=lambda random, rows: {"index": random.integers(0, 10, (rows, random.integers(1, 4)))},
    )


def shapes() -> Iterator[ServedModel]:
    def relu(dims: Any) -> onnx.ModelProto:
        return build(
            [node("Relu", ["x"], ["y"])], [value("x", "FP32", dims)], [value("y", "FP32", dims)]
        )

    yield ServedModel(
        name="scalar", model=relu([]), make=drawing_fixed(x=("FP32", ())), rows=(0,), batches=False
    )
    yield ServedModel(name="rank_one", model=relu(["batch"]), make=drawing(x=("FP32", ())))
    yield ServedModel(
        name="rank_eight",
        model=relu(["batch", 1, 2, 1, 2, 1, 1, 2]),
        make=drawing(x=("FP32", (1, 2, 1, 2, 1, 1, 2))),
    )
    yield ServedModel(
        name="free_inner",
        model=relu(["batch", "width", 2]),
        make=lambda random, rows: {"x": draw(random, "FP32", (rows, random.integers(1, 5), 2))},
    )
    yield ServedModel(
        name="free_image",
        model=relu(["batch", 3, "height", "width"]),
        make=lambda random, rows: {"x": draw(random, "FP32", (rows, 3, *random.integers(1, 4, 2)))},
    )
    for name, dims in (("no_batch", [3, 4]), ("one_row", [1, 4]), ("one_number", [1])):
        yield ServedModel(
            name=name,
            model=relu(dims),
            make=drawing_fixed(x=("FP32", dims)),
            rows=(0,),
            batches=False,
        )
    yield ServedModel(
        name="zero_width",
        model=build(
            [node("Concat", ["x", "z"], ["y"], axis=1)],
            [value("x", "FP32", ["batch", 3]), value("z", "FP32", ["batch", "none"])],
            [value("y", "FP32", ["batch", "all"])],
        ),
        make=drawing(x=("FP32", (3,)), z=("FP32", (0,))),
    )
    yield ServedModel(
        name="zero_declared",
        model=build(
            [node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
            [value("x", "FP32", ["batch", 0])],
            [value("y", "FP32", ["batch", 1])],
            [constant("axes", [1], np.int64)],
        ),
        make=drawing(x=("FP32", (0,))),
        # Every row is the same nothing: no proof that rows are independent.
        batches=False,
    )


def liars() -> Iterator[ServedModel]:
    """What the outputs declare is not what comes."""
    x = value("x", "FP32", ["batch", 4])
    total = [node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    axes = [constant("axes", [1], np.int64)]
    for name, dims, batches in (
        ("declares_one_row", [1], True),
        ("declares_another_name", ["rows"], True),
        ("declares_nothing", [None], True),
    ):
        yield ServedModel(
            name=name,
            model=build(total, [x], [value("y", "FP32", dims)], axes),
            make=drawing(x=("FP32", (4,))),
            batches=batches,
        )


def no_batch_in_front() -> Iterator[ServedModel]:
    """A free first dimension whose rows hang together: the probe must notice."""
    x, y = value("x", "FP32", ["time", 4]), value("y", "FP32", ["time", 4])
    for name, nodes, outputs, constants in (
        ("time_major", [node("CumSum", ["x", "axis"], ["y"])], [y],
         [constant("axis", 0, np.int64)]),
        ("mean_of_rows", [node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)],
         [value("y", "FP32", [1, 4])], [constant("axes", [0], np.int64)]),
        ("sum_of_all", [node("ReduceSum", ["x"], ["y"], keepdims=0)],
         [value("y", "FP32", [])], []),
        ("softmax_of_rows", [node("Softmax", ["x"], ["y"], axis=0)], [y], []),
        ("transposed", [node("Transpose", ["x"], ["y"], perm=[1, 0])],
         [value("y", "FP32", [4, "time"])], []),
        ("similarity", [node("Transpose", ["x"], ["t"], perm=[1, 0]),
                        node("MatMul", ["x", "t"], ["y"])],
         [value("y", "FP32", ["time", "time"])], []),
        ("shape_of", [node("Shape", ["x"], ["y"])], [value("y", "INT64", [2])], []),
        ("nonzero", [node("NonZero", ["x"], ["y"])], [value("y", "INT64", [2, "n"])], []),
        ("scaled_by_largest", [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                               node("DequantizeLinear", ["q", "s", "z"], ["y"])], [y], []),
        ("reversed_rows", [node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])], [y],
         [constant("starts", [-1], np.int64), constant("ends", [-(2**63) + 1], np.int64),
          constant("axes", [0], np.int64), constant("steps", [-1], np.int64)]),
    ):  # fmt: skip
        yield ServedModel(
            name=name,
            model=build(nodes, [x], outputs, constants),
            make=drawing(x=("FP32", (4,))),
            batches=False,
        )


def several() -> Iterator[ServedModel]:
    """Several inputs, several outputs, types mixed."""
    rows4 = ["batch", 4]
    yield ServedModel(
        name="two_by_two",
        model=build(
            [node("Add", ["b", "a"], ["sum"]), node("Sub", ["b", "a"], ["difference"])],
            [value("b", "FP32", rows4), value("a", "FP32", rows4)],
            [value("sum", "FP32", rows4), value("difference", "FP32", rows4)],
        ),
        make=drawing(a=("FP32", (4,)), b=("FP32", (4,))),
    )
    yield ServedModel(
        name="chosen",
        model=build(
            [node("Where", ["which", "a", "b"], ["y"]), node("Not", ["which"], ["other"])],
            [value("which", "BOOL", rows4), value("a", "INT64", rows4), value("b", "INT64", rows4)],
            [value("y", "INT64", rows4), value("other", "BOOL", rows4)],
        ),
        make=drawing(which=("BOOL", (4,)), a=("INT64", (4,)), b=("INT64", (4,))),
    )
    many = [f"x{i}" for i in range(20)]
    yield ServedModel(
        name="twenty",
        model=build(
            [node("Neg", [name], [f"{name}_negated"]) for name in many],
            [value(name, "FP32", ["batch", 2]) for name in many],
            [value(f"{name}_negated", "FP32", ["batch", 2]) for name in many],
        ),
        make=drawing(**dict.fromkeys(many, ("FP32", (2,)))),
    )
    yield ServedModel(
        name="best_two",
        model=build(
            [node("TopK", ["x", "k"], ["values", "places"], axis=1)],
            [value("x", "FP32", ["batch", 6])],
            [value("values", "FP32", ["batch", 2]), value("places", "INT64", ["batch", 2])],
            [constant("k", [2], np.int64)],
        ),
        make=drawing(x=("FP32", (6,))),
    )
    yield ServedModel(
        name="batch_and_scalar",
        model=build(
            [node("Mul", ["x", "factor"], ["y"])],
            [value("x", "FP32", rows4), value("factor", "FP32", [])],
            [value("y", "FP32", rows4)],
        ),
        make=lambda random, rows: {
            "x": draw(random, "FP32", (rows, 4)),
            "factor": draw(random, "FP32", ()),
        },
        batches=False,
    )


def text() -> Iterator[ServedModel]:
    yield ServedModel(
        name="strings_joined",
        model=build(
            [node("StringConcat", ["a", "b"], ["y"])],
            [value(name, "BYTES", ["batch"]) for name in ("a", "b")],
            [value("y", "BYTES", ["batch"])],
        ),
        make=drawing(a=("BYTES", ()), b=("BYTES", ())),
    )
    yield ServedModel(
        name="numbers_printed",
        model=build(
            [node("Cast", ["x"], ["y"], to=TensorProto.STRING)],
            [value("x", "INT32", ["batch", 2])],
            [value("y", "BYTES", ["batch", 2])],
        ),
        make=drawing(x=("INT32", (2,))),
    )
    yield ServedModel(
        name="labels",
        model=build(
            [node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=["a", "bc", "7"],
                  values_int64s=[1, 2, 3], default_int64=-1)],
            [value("x", "BYTES", ["batch", 2])],
            [value("y", "INT64", ["batch", 2])],
        ),
        make=drawing(x=("BYTES", (2,))),
    )  # fmt: skip


def control_flow() -> Iterator[ServedModel]:
    def branch(operator: str, result: str) -> onnx.GraphProto:
        y = value(result, "FP32", [None, 4])
        return helper.make_graph([node(operator, ["x"], [result])], operator, [], [y])

    branches = {"then_branch": branch("Neg", "n"), "else_branch": branch("Abs", "p")}
    yield ServedModel(
        name="if_else",
        model=build(
            [node("If", ["go"], ["y"], **branches)],
            [value("go", "BOOL", []), value("x", "FP32", ["batch", 4])],
            [value("y", "FP32", ["batch", 4])],
        ),
        make=lambda random, rows: {
            "go": draw(random, "BOOL", ()),
            "x": draw(random, "FP32", (rows, 4)),
        },
        batches=False,
    )  # fmt: skip
    body = helper.make_graph(
        [node("Add", ["state", "state"], ["next"]), node("Identity", ["go"], ["go_on"])],
        "body",
        [value("i", "INT64", []), value("go", "BOOL", []), value("state", "FP32", [None, 4])],
        [value("go_on", "BOOL", []), value("next", "FP32", [None, 4])],
    )
    yield ServedModel(
        name="doubled_three_times",
        model=build(
            [node("Loop", ["count", "", "x"], ["y"], body=body)],
            [value("x", "FP32", ["batch", 4])],
            [value("y", "FP32", ["batch", 4])],
            [constant("count", 3, np.int64)],
        ),
        make=drawing(x=("FP32", (4,))),
    )


def no_tensors() -> Iterator[ServedModel]:
    """Outputs that are served as the tensors that they amount to."""
    x = value("x", "FP32", ["batch", 3])
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        )
    )

    def table(outputs: dict[str, Any]) -> Arrays:
        keys = sorted(outputs["scores"][0])
        scores = [[row[key] for key in keys] for row in outputs["scores"]]
        return {
            "scores": np.array(scores, np.float32),
            "scores_labels": np.array([keys] * len(scores), np.int64),
        }

    yield ServedModel(
        name="zipmap",
        model=build(
            [node("ZipMap", ["x"], ["scores"], domain="ai.onnx.ml", classlabels_int64s=[7, -1, 3])],
            [x],
            [helper.make_value_info("scores", maps)],
        ),
        make=drawing(x=("FP32", (3,))),
        flatten=table,
    )
    yield ServedModel(
        name="sequence",
        model=build(
            [node("SplitToSequence", ["x"], ["y"], axis=0, keepdims=0)],
            [x],
            [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, [3])],
        ),
        make=drawing(x=("FP32", (3,))),
        flatten=lambda outputs: {"y": np.stack(outputs["y"])},
    )
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, ["batch", 3])
    yield ServedModel(
        name="optional",
        model=build(
            [node("Optional", ["x"], ["y"])],
            [x],
            [helper.make_value_info("y", helper.make_optional_type_proto(tensor))],
        ),
        make=drawing(x=("FP32", (3,))),
    )


MODELS = [
    *every_type(),
    *arithmetic(),
    *shapes(),
    *liars(),
    *no_batch_in_front(),
    *several(),
    *text(),
    *control_flow(),
    *no_tensors(),
]
