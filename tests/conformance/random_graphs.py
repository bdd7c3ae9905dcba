"""Random ONNX graphs for hypothesis: a few inputs of [batch, width], some operators that fit what
is there, some of what comes out as outputs. Nearly all keep rows apart; one does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from conformance.model_sweep.served_model import ELEMENT_TYPES, build, constant, value
from hypothesis import strategies as st
from onnx import helper

FLOATS = frozenset({"FP32", "FP64"})
NUMBERS = FLOATS | {"INT32", "INT64"}
INTEGERS = frozenset(ELEMENT_TYPES) - FLOATS - {"BYTES", "FP16"}
WIDTH_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A tensor of the graph, [batch, width]."""

    name: str
    datatype: str
    width: int


@dataclass(slots=True)
class Graph:
    inputs: list[Value] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, sources: list[str], like: Value, **attributes: object) -> None:
        """A node whose result has the type and width of `like`."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, sources, [name], **attributes))
        self.values.append(Value(name=name, datatype=like.datatype, width=like.width))

    def constant(self, values: object, dtype: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(constant(name, values, dtype))
        return name

    def model(self) -> onnx.ModelProto:
        inputs, outputs = (
            [value(one.name, one.datatype, ["batch", one.width]) for one in side]
            for side in (self.inputs, self.outputs)
        )
        return build(self.nodes, inputs, outputs, self.constants)


def unary(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    operators = ["Identity"]
    if x.datatype in NUMBERS:
        operators += ["Neg", "Abs", "Sign"]
    if x.datatype in FLOATS:
        operators += ["Tanh", "Sigmoid", "Relu"]
    if x.datatype == "BOOL":
        operators += ["Not"]
    graph.add(draw(st.sampled_from(operators)), [x.name], x)


def binary(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    kinds = {"BOOL": ["And", "Or", "Xor"], "BYTES": ["StringConcat"]}
    operators = ["Add", "Sub", "Mul"] if x.datatype in NUMBERS else kinds.get(x.datatype, [])
    fitting = [y for y in graph.values if (y.datatype, y.width) == (x.datatype, x.width)]
    if operators:
        other = draw(st.sampled_from(fitting)).name
        graph.add(draw(st.sampled_from(operators)), [x.name, other], x)


def compare(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    fitting = [y for y in graph.values if (y.datatype, y.width) == (x.datatype, x.width)]
    if x.datatype in NUMBERS:
        other = draw(st.sampled_from(fitting)).name
        like = Value(name="", datatype="BOOL", width=x.width)
        graph.add(draw(st.sampled_from(["Less", "Greater", "Equal"])), [x.name, other], like)


def concat(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    fitting = [y for y in graph.values if y.datatype == x.datatype]
    others = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))
    width = x.width + sum(other.width for other in others)
    if width <= WIDTH_MAX:
        like = Value(name="", datatype=x.datatype, width=width)
        graph.add("Concat", [x.name, *(other.name for other in others)], like, axis=1)


def columns(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    """Any of them in any order, perhaps none."""
    places = draw(st.lists(st.integers(0, x.width - 1), max_size=4)) if x.width else []
    like = Value(name="", datatype=x.datatype, width=len(places))
    graph.add("Gather", [x.name, graph.constant(places, np.int64)], like, axis=1)


def matmul(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    if x.datatype in FLOATS and x.width > 0:
        width = draw(st.integers(1, 8))
        random = np.random.default_rng(draw(st.integers(0, 99)))
        dtype = np.float32 if x.datatype == "FP32" else np.float64
        weights = graph.constant(random.normal(size=(x.width, width)), dtype)
        like = Value(name="", datatype=x.datatype, width=width)
        graph.add("MatMul", [x.name, weights], like)


def reduce(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    if x.datatype in NUMBERS and x.width > 0:
        operator = draw(st.sampled_from(["ReduceSum", "ReduceMax"]))
        axes = graph.constant([1], np.int64)
        like = Value(name="", datatype=x.datatype, width=1)
        graph.add(operator, [x.name, axes], like, keepdims=1)


def cast(draw: st.DrawFn, graph: Graph, x: Value) -> None:
    """Not from floating point to integers, where what does not fit is anyone's guess."""
    if x.datatype in INTEGERS or x.datatype in FLOATS:
        targets = sorted(FLOATS if x.datatype in FLOATS else INTEGERS | FLOATS)
        datatype = draw(st.sampled_from(targets))
        like = Value(name="", datatype=datatype, width=x.width)
        graph.add("Cast", [x.name], like, to=ELEMENT_TYPES[datatype])


def running_sum(_: st.DrawFn, graph: Graph, x: Value) -> None:
    """Over the batch: rows hang together, and the model must not be batched."""
    if x.datatype in NUMBERS:
        graph.add("CumSum", [x.name, graph.constant(0, np.int64)], x)


STEPS = [unary, binary, compare, concat, columns, matmul, reduce, cast, running_sum]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    graph = Graph()
    for index in range(draw(st.integers(1, 3))):
        datatype = draw(st.sampled_from(sorted(ELEMENT_TYPES)))
        width = draw(st.integers(0 if index else 1, 4))
        graph.inputs.append(Value(name=f"x{index}", datatype=datatype, width=width))
    graph.values += graph.inputs
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)):
        step(draw, graph, draw(st.sampled_from(graph.values)))
    made = graph.values[len(graph.inputs) :]
    if not made:
        unary(draw, graph, graph.inputs[0])
        made = graph.values[-1:]
    graph.outputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    return graph
