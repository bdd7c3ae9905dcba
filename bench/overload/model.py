"""The "5 ms model", about 5 ms for a row and 12 ms for eight; and how long it takes by itself."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

BATCH_MAX = 64
WIDTH, _HIDDEN, _LAYERS = 512, 8192, 6


def make_model(path: Path) -> Path:
    """x FP32 [N, 512] -> y FP32 [N, 512]: weights are read for a batch, arithmetic is for a row."""
    random = np.random.default_rng(0)
    nodes, weights, current = [], [], "x"
    for layer in range(2 * _LAYERS):
        shape = (WIDTH, _HIDDEN) if layer % 2 == 0 else (_HIDDEN, WIDTH)
        weight = (random.standard_normal(shape) * 0.02).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [current, f"w{layer}"], [f"m{layer}"]))
        current = "y" if layer == 2 * _LAYERS - 1 else f"t{layer}"
        nodes.append(helper.make_node("Tanh", [f"m{layer}"], [current]))
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", WIDTH]) for name in "xy"
    ]
    graph = helper.make_graph(nodes, "slow", tensors[:1], tensors[1:], weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def bare_durations(model: Path, core: int) -> list[tuple[int, float]]:
    """(rows, seconds), the median of several runs of a session with one thread on `core`."""
    with _bare_session(model, core) as session:
        sizes = (1, 2, 4, 8, 16, 32, BATCH_MAX)
        return [(rows, _median_run_s(session, rows, runs=9)) for rows in sizes]


def bare_duration_after(pause_s: float, model: Path, core: int, *, runs: int) -> float:
    """Seconds of a run of one row, the median, where the core idles for `pause_s` before each."""
    with _bare_session(model, core) as session:
        return _median_run_s(session, 1, runs=runs, pause_s=pause_s)


@contextlib.contextmanager
def _bare_session(model: Path, core: int) -> Iterator[onnxruntime.InferenceSession]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    yield onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    os.sched_setaffinity(0, before)


def _median_run_s(
    session: onnxruntime.InferenceSession, rows: int, *, runs: int, pause_s: float = 0.0
) -> float:
    x = np.random.default_rng(rows).standard_normal((rows, WIDTH)).astype(np.float32)
    times = []
    for _ in range(runs):
        time.sleep(pause_s)
        began = time.perf_counter()
        session.run(None, {"x": x})
        times.append(time.perf_counter() - began)
    return statistics.median(times)
