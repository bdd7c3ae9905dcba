"""Deadlines and cancellation: what is not wanted any more ends, and ends nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from support import infer, made_models, protos, raw_http2
from support.counting import CountedServer
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
SEED = 20261121
DEADLINE_EXCEEDED = 4
RESOURCE_EXHAUSTED = 8
ROUNDS_MAX = 20
# The model `loop` doubles its input that often: about a second.
LONG = 300_000


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_models.save_slow(tmp_path_factory.mktemp("slow") / "slow.onnx")


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any, slow_model: Path) -> Any:
    """One compute thread: a slow batch keeps everything else of the pool waiting."""
    flags = ["--execution", "pool", "--compute-threads", "1", "--max-batch-size", "4"]
    return start_shared_server("mlp", slow_model, flags=flags)


@pytest.fixture
def address(shared_server: Any, expect_good_answer: Callable[[str], None]) -> Iterator[str]:
    yield shared_server.address
    expect_good_answer(shared_server.address)
    assert shared_server.process.poll() is None
    print(shared_server.log)


def slow_request(**fields: Any) -> Any:
    return infer.make_request("slow", {"x": np.ones((1, 1024), np.float32)}, **fields)


def loop_message(count: int) -> bytes:
    inputs = {"count": np.array(count, np.int64), "x": np.zeros((1, 4), np.float32)}
    return infer.make_request("loop", inputs).SerializeToString()


def mlp_message() -> bytes:
    x = np.ones((1, 64), np.float32)
    return infer.make_request("mlp", {"x": x}).SerializeToString()


@pytest.mark.parametrize("timeout", ["1m", "1000u", "1n"])
def test_call_deadline_passes_and_the_server_says_so(address: str, timeout: str) -> None:
    """Asked by hand: an ordinary client gives up on its own and never sees the answer."""
    with RawHttp2(address) as raw:
        message = slow_request().SerializeToString()
        stream = raw.call(raw_http2.INFER, message, extra=[("grpc-timeout", timeout)])
        answer = raw.answer(stream)
    # Refused at once where a run is known to take longer; else it ends at its deadline.
    assert answer.status in {DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED}
    assert "deadline" in answer.message
    assert not answer.body


def ask_once_learned(address: str, stub: Any, request: Any, **options: Any) -> raw_http2.Answer:
    """The answer where the server knows how long a run takes. It trusts that for a second: a
    machine too slow to ask by then, or to look at the call in time, is asked again."""
    for _ in range(ROUNDS_MAX):
        stub(slow_request(), timeout=TIMEOUT_S)
        with RawHttp2(address) as raw:
            stream = raw.call(raw_http2.INFER, request.SerializeToString(), **options)
            answer = raw.answer(stream)
        if answer.status != DEADLINE_EXCEEDED:
            break
    return answer


def test_call_hopeless_deadline_is_refused_with_pushback(address: str, connect: Any) -> None:
    stub = protos.unary_stub(connect(address), "ModelInfer")
    answer = ask_once_learned(address, stub, slow_request(), extra=[("grpc-timeout", "2m")])
    assert answer.status == RESOURCE_EXHAUSTED
    assert "model 'slow' is busy" in answer.message
    assert int(answer.headers["grpc-retry-pushback-ms"]) >= 1


def test_call_timeout_parameter_is_a_deadline(address: str, connect: Any) -> None:
    stub = protos.unary_stub(connect(address), "ModelInfer")
    request = slow_request()
    request.parameters["timeout"].int64_param = 2000  # microseconds; a run takes longer
    assert ask_once_learned(address, stub, request).status == RESOURCE_EXHAUSTED
    request.parameters["timeout"].int64_param = 0  # none
    assert stub(request, timeout=TIMEOUT_S).outputs


@pytest.mark.parametrize(("priority", "accepted"), [(0, True), (1, True), (8, True), (9, False)])
def test_call_priority_is_1_to_8(address: str, connect: Any, priority: int, accepted: bool) -> None:
    stub = protos.unary_stub(connect(address), "ModelInfer")
    request = infer.make_request("mlp", {"x": np.ones((1, 64), np.float32)})
    request.parameters["priority"].uint64_param = priority
    if accepted:
        assert stub(request, timeout=TIMEOUT_S).outputs
        return
    with pytest.raises(grpc.RpcError, match="parameter 'priority': 9; expected 1") as raised:
        stub(request, timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_call_deadline_passes_while_the_message_is_awaited(address: str) -> None:
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER, extra=[("grpc-timeout", "10m")])
        assert raw.answer(stream).status == DEADLINE_EXCEEDED
        # The same connection serves on.
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


def test_call_with_grpcio_timeout_is_deadline_exceeded(address: str, connect: Any) -> None:
    stub = protos.unary_stub(connect(address), "ModelInfer")
    with pytest.raises(grpc.RpcError) as raised:
        stub(slow_request(), timeout=0.005)
    # The client's own clock, or the server that saw it coming.
    assert raised.value.code() in {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }


def test_call_deadline_far_away_changes_nothing(address: str) -> None:
    with RawHttp2(address) as raw:
        for timeout in ("99999999H", "60S"):
            stream = raw.call(
                raw_http2.INFER,
                slow_request().SerializeToString(),
                extra=[("grpc-timeout", timeout)],
            )
            assert raw.answer(stream).status == 0


def test_call_expired_and_cancelled_never_hurt_those_beside_them(
    address: str, connect: Any, slow_model: Path
) -> None:
    """All ask for rows of the same batches: some give up, the others get exact answers."""
    choose = random.Random(SEED)
    stub = protos.unary_stub(connect(address), "ModelInfer")
    values = np.random.default_rng(SEED).normal(size=(60, 1024)).astype(np.float32)
    patient, impatient = [], []
    for i in range(len(values)):
        request = infer.make_request("slow", {"x": values[i : i + 1]}, id=str(i))
        kind = choose.choice(["waits", "expires", "cancels"])
        if kind == "waits":
            patient.append((i, stub.future(request, timeout=TIMEOUT_S)))
        elif kind == "expires":
            impatient.append(stub.future(request, timeout=choose.uniform(0.001, 0.3)))
        else:
            impatient.append(stub.future(request, timeout=TIMEOUT_S))
            impatient[-1].cancel()
    assert patient
    for i, call in patient:
        response = call.result(timeout=2 * TIMEOUT_S)
        assert response.id == str(i)
        expected = infer.run_reference(slow_model, {"x": values[i : i + 1]})["y"]
        difference = np.abs(infer.arrays_of(response)["y"] - expected).max()
        # Three hundred layers add up what one layer rounds.
        assert difference <= 1e-3 * np.abs(expected).max()
    for call in impatient:
        assert call.cancelled() or call.code() in (
            grpc.StatusCode.OK,
            grpc.StatusCode.CANCELLED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )


def test_call_cancelled_many_times_leaves_the_server_serving(address: str, connect: Any) -> None:
    stub = protos.unary_stub(connect(address), "ModelInfer")
    for _ in range(20):
        calls = [stub.future(slow_request(), timeout=TIMEOUT_S) for _ in range(50)]
        for call in calls:
            call.cancel()
    assert stub(slow_request(), timeout=TIMEOUT_S).outputs


def test_call_cancelled_while_it_waits_frees_its_place(
    start_server: Any, test_models: Path, tmp_path: Path
) -> None:
    """The queue has room for one: the next call fits only where the cancelled one is gone."""
    model = tmp_path / "loop.onnx"
    model.write_bytes((test_models / "loop.onnx").read_bytes())
    model.with_suffix(".yaml").write_text("max_queue_size: 1\ninstance_count: 1\n")
    server = start_server(model, flags=["--compute-threads", "1", "--drain-timeout", "30s"])
    with RawHttp2(server.address) as raw:
        running, waiting = fill_queue(raw, loop_message(LONG))
        raw.reset(waiting)
        successor = raw.call(raw_http2.INFER, loop_message(1))
        raw.barrier()
        # Either it still waits, or the long one has ended by now and it has run.
        assert raw.answers[successor].status in (None, 0)
        assert raw.answer(running).status == 0
        assert raw.answer(successor).status == 0
    assert server.stop() == 0


def fill_queue(raw: RawHttp2, message: bytes) -> tuple[int, int]:
    """One call runs, one waits, and a third one was refused after both."""
    pending: list[int] = []
    while True:
        stream = raw.call(raw_http2.INFER, message)
        raw.barrier()
        # On a slow machine one may have ended before the next was sent.
        pending = [each for each in [*pending, stream] if not raw.answers[each].done]
        assert len(pending) <= 2, "the queue has room for one"
        answer = raw.answers[stream]
        if answer.status in (None, 0):
            continue
        assert answer.status == RESOURCE_EXHAUSTED, answer
        assert "queue is full" in answer.message
        if len(pending) == 2:
            return pending[0], pending[1]


@pytest.fixture
def counted_server(test_models: Path, slow_model: Path) -> Iterator[CountedServer]:
    server = CountedServer(
        test_models / "mlp.onnx", slow_model, model={"execution": "pool", "max_batch_size": 4}
    )
    try:
        yield server
    finally:
        if server.process.poll() is None:
            code = server.stop()
            assert code == 0


def test_live_counts_return_to_zero_after_every_kind_of_end(
    counted_server: CountedServer,
) -> None:
    """Answered, refused, expired, cancelled, cut off by a lost connection."""
    choose = random.Random(SEED)
    slow = slow_request().SerializeToString()
    for _ in range(20):
        with RawHttp2(counted_server.address) as raw:
            for _ in range(20):
                kind = choose.choice(["good", "bad", "expires", "cancels", "half", "slow"])
                if kind == "expires":
                    raw.call(raw_http2.INFER, slow, extra=[("grpc-timeout", "3m")])
                elif kind == "cancels":
                    raw.reset(raw.call(raw_http2.INFER, slow))
                elif kind == "half":
                    stream = raw.begin(raw_http2.INFER)
                    message = raw_http2.message_bytes(b"", length=100_000)
                    raw.send(raw.data_frame(stream, message + bytes(1000), end_stream=False))
                else:
                    message = {"good": mlp_message(), "bad": b"\xff", "slow": slow}[kind]
                    raw.call(raw_http2.INFER, message)
            raw.barrier()
            # Then the connection is closed, with calls of every kind still open.
    counts = counted_server.wait_until_at_rest()
    assert counts["accepted"] == counts["finished"] >= 20 * 20
    assert counted_server.stop() == 0
