"""What takes too long is ended or reported: runs of models, turns of event loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from support import infer, made_models, protos
from support.metrics import scrape
from support.waiting import wait_until

TIMEOUT_S = 60.0
ANY_PORT = ["--http-port", "0"]
# The model `loop` doubles its input that often: years.
ENDLESS = 2**60
LOOP = {"model": "loop", "version": "1"}
MLP = {"model": "mlp", "version": "1"}


def loop_request(count: int) -> Any:
    inputs = {"count": np.array(count, np.int64), "x": np.ones((1, 4), np.float32)}
    return infer.make_request("loop", inputs)


def wait_for_metric(server: Any, name: str, at_least: float, **labels: str) -> None:
    key = (name, frozenset(labels.items()))
    wait_until(
        lambda: scrape(server.http_address).get(key, 0) >= at_least,
        otherwise=lambda: f"{name} stays below {at_least}\n{server.log}",
    )


def wait_for_lines(server: Any, text: str) -> list[str]:
    wait_until(lambda: text in server.log, otherwise=lambda: server.log)
    return [line for line in server.log.splitlines() if text in line]


def expect_mlp_answers(stub: Any) -> None:
    x = np.ones((1, 64), np.float32)
    assert stub(infer.make_request("mlp", {"x": x}), timeout=TIMEOUT_S).outputs


def test_endless_run_is_ended_and_nobody_else_is_hurt(start_server: Any, connect: Any) -> None:
    """In the pool, with one compute thread for all: whoever waits for it gets it back."""
    server = start_server(
        "loop",
        "mlp",
        flags=[*ANY_PORT, "--compute-threads", "1", "--run-timeout", "1s"],
    )
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    endless = stub.future(loop_request(ENDLESS), timeout=TIMEOUT_S)
    wait_for_metric(server, "penstock_model_running", 1, **LOOP)
    waiting = stub.future(loop_request(3), timeout=TIMEOUT_S)
    expect_mlp_answers(stub)
    assert endless.code() == grpc.StatusCode.INTERNAL
    assert "run_timeout_ms" in endless.details()
    np.testing.assert_array_equal(infer.arrays_of(waiting.result())["y"], [[8, 8, 8, 8]])
    samples = scrape(server.http_address)
    assert samples["penstock_model_runs_ended_total", frozenset(LOOP.items())] == 1
    assert samples["penstock_model_runs_ended_total", frozenset(MLP.items())] == 0
    # The log is written after the run was told.
    (line,) = wait_for_lines(server, "is told to end")
    assert "model=loop" in line
    assert "limit_ms=1000" in line


def test_deadline_passes_during_a_run_and_is_said_at_once(start_server: Any, connect: Any) -> None:
    """The run goes on: the answer does not wait for it."""
    flags = [*ANY_PORT, "--run-timeout", "60s", "--drain-timeout", "0"]
    server = start_server("loop", flags=flags)
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    request = loop_request(ENDLESS)
    # Not grpc-timeout, by which grpcio itself would give up.
    request.parameters["timeout"].int64_param = 1_000_000
    with pytest.raises(grpc.RpcError) as raised:
        stub(request, timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    samples = scrape(server.http_address)
    assert samples["penstock_model_running", frozenset(LOOP.items())] == 1
    assert samples["penstock_model_runs_ended_total", frozenset(LOOP.items())] == 0
    assert server.stop() == 1, "it stops amid the run, since there is no time to drain"


def test_model_that_turns_slow_leaves_its_loop_and_returns(
    start_server: Any, connect: Any, tmp_path: Path
) -> None:
    model = made_models.save_counting(tmp_path / "counting.onnx")
    server = start_server(model, flags=[*ANY_PORT, "--io-threads", "1"])
    assert "execution=inline" in server.log
    stub = protos.unary_stub(connect(server.address), "ModelInfer")

    def ask_until(count: float, line: str) -> None:
        request = infer.make_request("counting", {"x": np.array([count], np.float32)})

        def logged() -> bool:
            assert stub(request, timeout=TIMEOUT_S).outputs
            return line in server.log

        wait_until(logged, otherwise=lambda: server.log)

    ask_until(3e6, "a model has become slow and leaves its event loop model=counting")
    ask_until(1, "a model is fast again and runs on its event loop model=counting")
    samples = scrape(server.http_address)
    labels = frozenset({"model": "counting", "version": "1"}.items())
    assert samples["penstock_model_left_loop_total", labels] >= 1


def test_run_that_holds_its_loop_is_reported_and_ended(start_server: Any, connect: Any) -> None:
    """Inline by the operator's choice: the loop itself waits for the model."""
    server = start_server(
        "loop",
        "mlp",
        flags=[*ANY_PORT, "--execution", "inline", "--io-threads", "1", "--run-timeout", "1500ms"],
    )
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    with pytest.raises(grpc.RpcError, match="run_timeout_ms"):
        stub(loop_request(ENDLESS), timeout=TIMEOUT_S)
    expect_mlp_answers(stub)
    samples = scrape(server.http_address)
    # A machine that holds the loop up as long is reported, too.
    assert samples["penstock_loop_stalls_total", frozenset()] >= 1
    assert samples["penstock_model_runs_ended_total", frozenset(LOOP.items())] == 1
    assert all("loop=io-0" in line for line in wait_for_lines(server, "event loop stalls"))
