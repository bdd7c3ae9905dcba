"""Models that take pictures, with the preprocessing that stands beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The helper's own defaults are newer than what ONNX Runtime reads.
_IR_VERSION = 10
_OPSET = 21

SIDE = 16
STEPS: list[dict[str, Any]] = [
    {"decode_image": {}},
    {"resize": {"width": SIDE, "height": SIDE, "filter": "bilinear"}},
    {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
    {"to_tensor": {}},
]
CHAIN: dict[str, Any] = {"from": "image", "to": "pixel_values", "steps": STEPS}


def save_picture_model(folder: Path, name: str = "pictures", **settings: Any) -> Path:
    """folder/name.onnx: scores = pixels W, bias: a value for each row that clients send as it is,
    and is added to the means. settings: name.yaml beside it."""
    weights = np.random.default_rng(20261121).normal(size=(3 * SIDE * SIDE, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["pixel_values"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
        helper.make_node("ReduceMean", ["flat", "axis"], ["mean"], keepdims=1),
        helper.make_node("Add", ["mean", "bias"], ["shifted"]),
    ]
    pixels = helper.make_tensor_value_info(
        "pixel_values", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE]
    )
    bias = helper.make_tensor_value_info("bias", TensorProto.FLOAT, ["batch", 1])
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 5]),
        helper.make_tensor_value_info("shifted", TensorProto.FLOAT, ["batch", 1]),
    ]
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    graph = helper.make_graph(nodes, "graph", [pixels, bias], outputs, constants)
    opset = helper.make_opsetid("", _OPSET)
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=[opset]), path)
    if settings:
        # JSON is YAML.
        path.with_suffix(".yaml").write_text(json.dumps(settings), encoding="utf-8")
    return path
