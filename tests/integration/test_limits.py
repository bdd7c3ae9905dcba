"""Limits by bytes and by predicted time: what does not fit is refused, and the rest is served."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from support import infer, made_models, protos, raw_http2
from support.metrics import scrape
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
RESOURCE_EXHAUSTED = 8


def typed_int64(rows: int) -> Any:
    """One byte of the message for each element, which takes eight."""
    request = protos.message_class("inference.ModelInferRequest")(model_name="identity_int64")
    tensor = request.inputs.add(name="x", datatype="INT64", shape=[rows, 3])
    tensor.contents.int64_contents.extend([7] * (3 * rows))
    return request


def test_typed_contents_count_as_what_they_become(start_server: Any, connect: Any) -> None:
    bounds = ["--max-inflight-bytes", "1048576", "--max-message-bytes", "1048576"]
    server = start_server("identity_int64", flags=["--io-threads", "1", *bounds])
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    with pytest.raises(grpc.RpcError, match="as many request bytes as it may") as raised:
        stub(typed_int64(50_000), timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # What was reserved is free again, as often as it takes.
    for _ in range(5):
        answer = infer.arrays_of(stub(typed_int64(30_000), timeout=TIMEOUT_S))
        np.testing.assert_array_equal(answer["y"], np.full((30_000, 3), 7))


def test_long_queue_refuses_calls_without_a_deadline(
    start_server: Any, connect: Any, tmp_path: Path
) -> None:
    model = made_models.save_slow(tmp_path / "slow.onnx")
    flags = ["--compute-threads", "1", "--max-batch-size", "1", "--max-queue-time", "1ms"]
    server = start_server(model, flags=flags)
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    request = infer.make_request("slow", {"x": np.ones((1, 1024), np.float32)})
    # One runs and one may wait, as long as nothing was learned lately.
    calls = [stub.future(request) for _ in range(8)]
    codes = [call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    refused = next(call for call in calls if call.code() != grpc.StatusCode.OK)
    assert "max_queue_time_ms" in refused.details()
    pushback = dict(refused.trailing_metadata())["grpc-retry-pushback-ms"]
    assert int(pushback) >= 1
    assert stub(request, timeout=TIMEOUT_S).outputs


def test_calls_that_wait_long_in_their_socket_are_refused_by_their_headers(
    start_server: Any, connect: Any
) -> None:
    """A run without end holds the loop for 0.6 s of every turn, whatever the machine. Beside so
    many others a connection gets 8 KiB of a turn: what it sent takes six turns, and fits into the
    smallest buffers that Linux gives a TCP connection by itself."""
    flags = ["--execution", "inline", "--io-threads", "1", "--compute-threads", "1"]
    flags += ["--run-timeout", "600ms", "--http-port", "0"]
    server = start_server("loop", "mlp", flags=flags)
    inputs = {"count": np.array(2**60, np.int64), "x": np.zeros((1, 4), np.float32)}
    request = infer.make_request("loop", inputs, id="x" * 400)
    with ExitStack() as stack:
        connections = [stack.enter_context(RawHttp2(server.address)) for _ in range(128)]
        for raw, stream in [(raw, raw.call(raw_http2.LIVE, b"")) for raw in connections]:
            assert raw.answer(stream).status == 0
        # All of it is there when the server goes on.
        server.process.send_signal(signal.SIGSTOP)
        try:
            for raw in connections:
                raw_http2.send_at_once(raw, [request] * 96)
        finally:
            server.process.send_signal(signal.SIGCONT)

        def shed() -> list[raw_http2.Answer]:
            return [one for one in raw.answers.values() if "is overloaded" in one.message]

        raw.wait(lambda: bool(shed()))
        (first, *_) = shed()
        assert first.status == RESOURCE_EXHAUSTED
        assert int(first.headers["grpc-retry-pushback-ms"]) >= 800
        assert not first.body
        # What is no inference is answered all the same.
        assert raw.answer(raw.call(raw_http2.HEALTH, b"")).status == 0
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    request = infer.make_request("mlp", {"x": np.ones((1, 64), np.float32)})
    assert stub(request, timeout=TIMEOUT_S).outputs, "another connection is served"
    assert scrape(server.http_address)["penstock_calls_shed_total", frozenset()] >= 1
