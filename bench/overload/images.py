"""Models of images: x FP32 [N, 3, 224, 224], 602 KB a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE = (3, 224, 224)
_STAGES = (64, 128, 256, 512)
_CLASSES = 1000


def make_corner(path: Path) -> Path:
    """y FP32 [N, 1, 1, 1]: a Slice, which reads one float of a row. As good as no model."""
    bounds = {"starts": [0, 0, 0], "ends": [1, 1, 1], "axes": [1, 2, 3]}
    weights = [numpy_helper.from_array(np.array(value), name) for name, value in bounds.items()]
    nodes = [helper.make_node("Slice", ["x", *bounds], ["y"])]
    return _save(path, nodes, weights, ("N", 1, 1, 1))


def make_resnet18(path: Path) -> Path:
    """y FP32 [N, 1000]: the convolutions of ResNet-18 with random weights, normalised already."""
    graph = _Graph()
    value = graph.convolution("x", (3, _STAGES[0]), kernel=7, stride=2, relu=True)
    pooled = graph.add("MaxPool", [value], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    value, channels = pooled, _STAGES[0]
    for stage, width in enumerate(_STAGES):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            shortcut = value
            if stride != 1 or channels != width:
                shortcut = graph.convolution(value, (channels, width), kernel=1, stride=stride)
            inner = graph.convolution(value, (channels, width), kernel=3, stride=stride, relu=True)
            outer = graph.convolution(inner, (width, width), kernel=3)
            value, channels = graph.add("Relu", [graph.add("Add", [outer, shortcut])]), width
    flat = graph.add("Flatten", [graph.add("GlobalAveragePool", [value])])
    weight = graph.weight((channels, _CLASSES), fan_in=channels)
    graph.nodes.append(helper.make_node("MatMul", [flat, weight], ["y"]))
    return _save(path, graph.nodes, graph.weights, ("N", _CLASSES))


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def add(self, operator: str, inputs: list[str], **attributes: object) -> str:
        """One node with one output, whose name is returned."""
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def weight(self, shape: tuple[int, ...], *, fan_in: int) -> str:
        """Random, so that values keep their size."""
        name = f"w{len(self.weights)}"
        scale = np.sqrt(1 / fan_in)
        values = (self._random.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(
        self,
        value: str,
        channels: tuple[int, int],
        *,
        kernel: int,
        stride: int = 1,
        relu: bool = False,
    ) -> str:
        """With a bias, as one that a normalisation was folded into."""
        before, after = channels
        fan_in = before * kernel**2
        weight = self.weight((after, before, kernel, kernel), fan_in=fan_in)
        bias = self.weight((after,), fan_in=fan_in)
        output = self.add(
            "Conv",
            [value, weight, bias],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )
        return self.add("Relu", [output]) if relu else output


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    answer: tuple[str | int, ...],
) -> Path:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *IMAGE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(answer))],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path
