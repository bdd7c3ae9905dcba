"""A property: whatever the graph, the types, the widths, the rows and how many ask at once, every
answer is ONNX Runtime's own, bit for bit, at the batch size and place that it ran in.

In continuous integration the examples are the same in every run. HYPOTHESIS_PROFILE=long draws
many more, other ones each time; what fails is printed with the blob that repeats it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import grpc
import numpy as np
import onnx
from conformance.model_sweep.checking import (
    Asked,
    grpcio_answer,
    problems_of,
    raw_request,
    typed_request,
)
from conformance.model_sweep.served_model import draw
from conformance.random_graphs import Graph, graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from penstock import _core
from penstock._ort import find_onnxruntime
from penstock.config import make_model_options, make_server_options
from support import protos

TIMEOUT_S = 60.0
DRAIN_MS = 30_000
_COMMON = settings(
    deadline=None,  # a slow machine must not fail it
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PROFILES = {
    "": settings(_COMMON, max_examples=60, derandomize=True, database=None),
    "long": settings(_COMMON, max_examples=2000),
}
REQUESTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 2**32 - 1), st.booleans()), min_size=1, max_size=12
)


@PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "")]
@given(
    served=st.lists(graphs(), min_size=1, max_size=3),
    requests=REQUESTS,
    execution=st.sampled_from(["auto", "inline", "pool"]),
)
def test_any_model_answers_as_onnxruntime_does(
    served: list[Graph], requests: list[tuple[int, int, bool]], execution: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"model{index}.onnx" for index in range(len(served))]
        for graph, path in zip(served, paths, strict=True):
            onnx.save(graph.model(), path)
        problems = ask_all(served, paths, requests, execution)
    assert problems == []


def ask_all(
    served: Sequence[Graph],
    paths: Sequence[Path],
    requests: Sequence[tuple[int, int, bool]],
    execution: str,
) -> list[str]:
    """What is wrong with the answers to requests that all wait at once."""
    server = serve(paths, execution)
    try:
        with grpc.insecure_channel(f"{server.host}:{server.grpc_port}") as channel:
            stub = protos.unary_stub(channel, "ModelInfer")
            calls = []
            for number, (rows, seed, typed) in enumerate(requests):
                which = number % len(served)
                asked = ask(served[which], paths[which], rows, seed)
                message = typed_request(asked) if typed else raw_request(asked)
                calls.append((asked, stub.future(message, timeout=TIMEOUT_S)))
            return [
                problem
                for asked, call in calls
                for problem in problems_of(asked, grpcio_answer(call.result()))
            ]
    finally:
        assert server.stop(DRAIN_MS)


def ask(graph: Graph, path: Path, rows: int, seed: int) -> Asked:
    random = np.random.default_rng(seed)
    inputs = {one.name: draw(random, one.datatype, (rows, one.width)) for one in graph.inputs}
    return Asked(model=path, rows=rows, inputs=inputs)


def serve(paths: Sequence[Path], execution: str) -> _core.Server:
    options = make_server_options(
        {
            "grpc_port": 0,
            "onnxruntime_library": str(find_onnxruntime()),
            "report_batch_size": True,
            "log_level": "error",
        }
    )
    sources = [
        _core.ModelSource(
            name=path.stem,
            version=1,
            path=str(path),
            options=make_model_options({"execution": execution}),
        )
        for path in paths
    ]
    return _core.Server.create(options, sources)
