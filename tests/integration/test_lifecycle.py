"""From the command to the ready line, through the drain, to the exit code."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import infer, protos, raw_http2
from support.raw_http2 import RawHttp2
from support.waiting import wait_until

TIMEOUT_S = 60.0
SIGNALS = [signal.SIGTERM, signal.SIGINT]
# The model `loop` doubles its input that often: about a second.
LONG = 300_000
NOT_SERVING = b"\x08\x02"  # HealthCheckResponse


def mlp_message() -> bytes:
    x = np.ones((1, 64), np.float32)
    return infer.make_request("mlp", {"x": x}).SerializeToString()


def loop_request(count: int) -> Any:
    inputs = {"count": np.array(count, np.int64), "x": np.zeros((1, 4), np.float32)}
    return infer.make_request("loop", inputs)


def infer_begun(raw: RawHttp2) -> int:
    """A call whose message is still on its way."""
    stream = raw.begin(raw_http2.INFER)
    raw.send(raw.data_frame(stream, raw_http2.message_bytes(mlp_message())[:100], end_stream=False))
    return stream


def infer_rest(raw: RawHttp2, stream: int) -> None:
    raw.send(raw.data_frame(stream, raw_http2.message_bytes(mlp_message())[100:]))


def wait_until_refused(address: str) -> None:
    host, _, port = address.rpartition(":")

    def refused() -> bool:
        with socket.socket() as probe:
            probe.settimeout(TIMEOUT_S)
            return probe.connect_ex((host, int(port))) != 0

    wait_until(refused, otherwise=lambda: f"{address} still takes connections")


# --- ready ---


def test_serve_prints_one_ready_line_and_nothing_else(start_server: Any) -> None:
    server = start_server("mlp")
    assert re.fullmatch(r"127\.0\.0\.1:[1-9][0-9]*", server.address)
    assert server.stop() == 0
    assert server.process.stdout.read() == b""


def test_serve_host_is_where_it_listens(start_server: Any, expect_good_answer: Any) -> None:
    server = start_server("mlp", flags=["--host", "127.0.0.2"])
    assert server.address.startswith("127.0.0.2:")
    expect_good_answer(server.address)
    with socket.socket() as elsewhere:
        assert elsewhere.connect_ex(("127.0.0.1", server.port)) != 0


def test_serve_fixed_port_can_be_served_again_at_once(
    start_server: Any, expect_good_answer: Any
) -> None:
    first = start_server("mlp")
    expect_good_answer(first.address)
    assert first.stop() == 0
    second = start_server("mlp", flags=["--grpc-port", str(first.port)])
    assert second.address == first.address
    expect_good_answer(second.address)


def test_serve_json_log_is_one_object_a_line_and_times_the_start(start_server: Any) -> None:
    server = start_server("mlp", "two_by_two", flags=["--log-format", "json"])
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    ready = [line for line in lines if line["message"] == "model ready"]
    assert [line["model"] for line in ready] == ["mlp", "two_by_two"]
    for line in ready:
        assert int(line["session_ms"]) >= 0
        assert int(line["warmup_ms"]) >= 0


def test_serve_log_level_hides_what_is_less_severe(start_server: Any) -> None:
    server = start_server("mlp", flags=["--log-level", "error"])
    assert server.stop() == 0
    assert server.log == ""


def test_serve_imports_neither_numpy_nor_grpc(
    start_server: Any, expect_good_answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    server = start_server("mlp")
    expect_good_answer(server.address)
    assert server.stop() == 0
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in server.log.splitlines()
        if line.startswith("import time:")
    }
    assert "penstock" in imported
    assert not imported & {"numpy", "grpc", "onnxruntime", "google", "yaml"}


def test_serve_leaves_nothing_in_home_and_cache(
    start_server: Any,
    expect_good_answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """ONNX Runtime's telemetry keeps an identifier and a database there, if nobody stops it."""
    folders = {name: tmp_path / name.lower() for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    for name, folder in folders.items():
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    server = start_server("mlp")
    expect_good_answer(server.address)
    assert server.stop() == 0
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []


# --- the end ---


@pytest.mark.parametrize("number", SIGNALS)
def test_stop_finishes_what_was_accepted(start_server: Any, connect: Any, number: int) -> None:
    server = start_server("mlp", "loop", flags=["--drain-timeout", "60s"])
    by_grpcio = protos.unary_stub(connect(server.address), "ModelInfer").future(
        loop_request(LONG), timeout=TIMEOUT_S
    )
    with RawHttp2(server.address) as raw:
        running = raw.call(raw_http2.INFER, loop_request(LONG).SerializeToString())
        half_sent = infer_begun(raw)
        health = raw.begin(raw_http2.HEALTH)
        raw.barrier()
        # grpcio connects when it likes: its call is in flight once the server has read it.
        protos.unary_stub(connect(server.address), "ServerLive")(
            protos.message_class("inference.ServerLiveRequest")(), timeout=TIMEOUT_S
        )
        server.process.send_signal(number)
        raw.wait(lambda: bool(raw.goaways))
        wait_until_refused(server.address)
        # Open calls hold the drain: asked now, the server is no longer ready, but answers.
        raw.send(raw.data_frame(health, raw_http2.message_bytes(b"")))
        assert raw.answer(health).data == NOT_SERVING
        infer_rest(raw, half_sent)
        assert raw.answer(half_sent).status == 0
        assert raw.answer(running).status == 0
        raw.wait_until_closed()
        assert all(goaway.error_code == 0 for goaway in raw.goaways)
    assert by_grpcio.result(timeout=TIMEOUT_S).outputs
    assert server.stop(0) == 0


def test_stop_refuses_calls_that_come_after_goaway(start_server: Any) -> None:
    """The first GOAWAY announces, the second one names the last call that was accepted."""
    server = start_server("mlp")
    with RawHttp2(server.address) as raw:
        held = infer_begun(raw)
        raw.barrier()
        server.process.send_signal(signal.SIGTERM)
        raw.wait(lambda: len(raw.goaways) == 2)
        last = raw.goaways[1].last_stream_id
        late = raw.call(raw_http2.INFER, mlp_message())
        infer_rest(raw, held)
        assert raw.answer(held).status == 0
        raw.wait_until_closed()
        assert last < late
        assert not raw.answers[late].headers
    assert server.stop(0) == 0


def test_stop_with_idle_connections_is_not_held_up(start_server: Any) -> None:
    server = start_server("mlp", flags=["--drain-timeout", "60s"])
    with RawHttp2(server.address) as idle, RawHttp2(server.address, handshake=False) as silent:
        idle.barrier()
        server.process.send_signal(signal.SIGTERM)
        idle.wait_until_closed()
        silent.wait_until_closed()
        assert server.stop(0) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_stop_past_the_drain_timeout_ends_calls_and_says_so(start_server: Any, number: int) -> None:
    server = start_server("mlp", flags=["--drain-timeout", "100ms"])
    with RawHttp2(server.address) as raw:
        held = infer_begun(raw)
        raw.barrier()
        server.process.send_signal(number)
        raw.wait_until_closed()
        assert not raw.answers[held].ended
    assert server.stop(0) == 1
    assert "not every call finished within 100 ms" in server.log
    assert "Traceback" not in server.log


def test_stop_past_the_drain_timeout_survives_a_run_in_progress(start_server: Any) -> None:
    server = start_server("loop", flags=["--drain-timeout", "0"])
    with RawHttp2(server.address) as raw:
        for _ in range(5):
            raw.call(raw_http2.INFER, loop_request(LONG).SerializeToString())
        raw.barrier()
        server.process.send_signal(signal.SIGTERM)
        raw.wait_until_closed()
    assert server.stop(0) == 1


@pytest.mark.parametrize("number", SIGNALS)
def test_stop_second_signal_ends_at_once(start_server: Any, number: int) -> None:
    server = start_server("mlp", flags=["--drain-timeout", "1000s"])
    with RawHttp2(server.address) as raw:
        infer_begun(raw)
        raw.barrier()
        server.process.send_signal(number)
        raw.wait(lambda: bool(raw.goaways))
        assert server.stop(number) == 128 + number


# --- no descriptor left ---


def wait_for_log(server: Any, text: str) -> None:
    wait_until(lambda: text in server.log, otherwise=lambda: f"never logged: {text}")


def test_serve_out_of_descriptors_goes_on_and_recovers(
    start_server: Any, expect_good_answer: Any
) -> None:
    server = start_server("mlp")
    with RawHttp2(server.address) as early:
        early.barrier()
        open_now = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        limit = open_now + 4
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        crowd = [RawHttp2(server.address) for _ in range(64)]
        wait_for_log(server, "no descriptor")
        early.barrier()
        assert early.answer(early.call(raw_http2.INFER, mlp_message())).status == 0
        for connection in crowd:
            connection.socket.close()
        expect_good_answer(server.address)
        # The answer can come while others of the crowd still wait to be accepted.
        wait_for_log(server, "accepted again")
    # Once, however long it lasts: a crowd outside must not fill the log.
    assert server.log.count("no descriptor") == 1
    assert server.log.count("accepted again") == 1
