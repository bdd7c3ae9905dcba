"""penstock.Engine against onnxruntime.InferenceSession, called from Python in one process.

Usage: python -m bench.engine_call [--rounds 5] [--seconds 1] [--threads 8]
One row a call. Latency alone: one thread, the median round of mean times. Throughput: so many
threads that call as fast as they can. Rounds alternate, every answer is checked, and ratios are
taken between neighbours. ONNX Runtime is measured as it comes (its own threads: one for each core)
and with intra_op_num_threads=1; the verdict is against the better of the two in that measure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from penstock import Engine

LATENCY_BOUND = 1.5
THROUGHPUT_BOUND = 3.0
_SEED = 20261121
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A stack of dense layers, each with a ReLU, as wide as its numbers say."""

    name: str
    widths: tuple[int, ...]


SHAPES = (
    Shape(name="mlp 64-128-64-10", widths=(64, 128, 64, 10)),
    Shape(name="dense 256 x 4", widths=(256,) * 5),
    Shape(name="dense 1024 x 5", widths=(1024,) * 6),
    Shape(name="dense 2048 x 3", widths=(2048,) * 4),
)

Call = Callable[[], NDArray[np.float32]]


def save(shape: Shape, path: Path) -> None:
    random = np.random.default_rng(_SEED)
    nodes, weights = [], []
    for layer, (fan_in, fan_out) in enumerate(zip(shape.widths, shape.widths[1:], strict=False)):
        matrix = random.normal(0, fan_in**-0.5, (fan_in, fan_out)).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes += [
            helper.make_node("MatMul", [f"h{layer}", f"w{layer}"], [f"m{layer}"]),
            helper.make_node("Relu", [f"m{layer}"], [f"h{layer + 1}"]),
        ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("h0", shape.widths[0]), (f"h{len(weights)}", shape.widths[-1]))
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights)
    opset = helper.make_opsetid("", 21)
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[opset]), path)


def callers(path: Path, engine: Engine, x: NDArray[np.float32]) -> dict[str, Call]:
    """The same call three ways; the output's name is asked for by none."""
    name, inputs = path.stem, {"h0": x}
    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = 1
    default_session = onnxruntime.InferenceSession(path)
    one_session = onnxruntime.InferenceSession(path, one)
    output = default_session.get_outputs()[0].name
    return {
        "engine": lambda: engine.infer(name, inputs)[output],
        "session": lambda: default_session.run(None, inputs)[0],
        "session, 1 thread": lambda: one_session.run(None, inputs)[0],
    }


class WrongError(RuntimeError):
    """An answer was not what ONNX Runtime gave."""


def check(answer: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    if np.abs(answer - expected).max() > _TOLERANCE * np.abs(expected).max():
        raise WrongError("an answer differs")


def calls_per_second(
    call: Call, expected: NDArray[np.float32], threads: int, seconds: float
) -> float:
    """Every answer is looked at, by its first value while the clock runs and by all at the end."""
    counts = [0] * threads
    failed: list[BaseException] = []
    stop = threading.Event()
    first = expected.item(0)
    slack = _TOLERANCE * float(np.abs(expected).max())

    def ask(index: int) -> None:
        try:
            count, stopped = 0, stop.is_set
            answer = call()
            while not stopped():
                answer = call()
                if not abs(answer.item(0) - first) <= slack:
                    raise WrongError("an answer differs")
                count += 1
            check(answer, expected)
            counts[index] = count
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=ask, args=(index,)) for index in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - began
    if failed:
        raise failed[0]
    return sum(counts) / elapsed


def measure(shape: Shape, folder: Path, rounds: int, seconds: float, threads: int) -> bool:
    """Prints one model's figures; whether both bounds were met."""
    path = folder / f"{shape.name.replace(' ', '_')}.onnx"
    save(shape, path)
    x = np.random.default_rng(_SEED).uniform(-1, 1, (1, shape.widths[0])).astype(np.float32)
    alone: dict[str, list[float]] = {}
    together: dict[str, list[float]] = {}
    with Engine(path) as engine:
        calls = callers(path, engine, x)
        expected = calls["session"]()
        for call in calls.values():
            check(call(), expected)
        for _ in range(rounds):
            for name, call in calls.items():
                rate = calls_per_second(call, expected, 1, seconds)
                alone.setdefault(name, []).append(1e6 / rate)
                rate = calls_per_second(call, expected, threads, seconds)
                together.setdefault(name, []).append(rate)
        [report] = engine.models
    print(f"{shape.name}: l(1) {report.l1_us:.1f} us, up to {report.max_batch_size} rows in a run")
    for name in calls:
        print(
            f"  {name:<18} {statistics.median(alone[name]):9.2f} us alone  "
            f"{statistics.median(together[name]):10,.0f} /s from {threads} threads"
        )
    latency = max(_ratio(alone, name) for name in calls if name != "engine")
    throughput = min(_ratio(together, name) for name in calls if name != "engine")
    met = latency <= LATENCY_BOUND and throughput >= THROUGHPUT_BOUND
    print(
        f"  against the better session: latency {latency:.2f}x (bound {LATENCY_BOUND}x), "
        f"throughput {throughput:.2f}x (bound {THROUGHPUT_BOUND}x): {'met' if met else 'missed'}"
    )
    return met


def _ratio(figures: dict[str, list[float]], against: str) -> float:
    pairs = zip(figures["engine"], figures[against], strict=True)
    return statistics.median(own / other for own, other in pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=8)
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        met = [
            measure(shape, Path(folder), parsed.rounds, parsed.seconds, parsed.threads)
            for shape in SHAPES
        ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
