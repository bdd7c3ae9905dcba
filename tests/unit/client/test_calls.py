"""The control calls, and what becomes of failures."""

import pickle
import socket
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest
from penstock_client import (
    CallError,
    Client,
    DeadlineError,
    InvalidRequestError,
    ModelIndex,
    NotFoundError,
    OverloadedError,
    PenstockClientError,
    RetryPolicy,
    TensorMetadata,
    UnavailableError,
    UnimplementedError,
)
from support import protos
from support.fake_inference_server import FakeInferenceServer

X = {"x": np.ones(1, np.float32)}


def abort(code: grpc.StatusCode, message: str) -> Callable[[Any, Any], Any]:
    return lambda _request, context: context.abort(code, message)


def always(response: Any) -> Callable[[Any, Any], Any]:
    return lambda _request, _context: response


def test_live_and_ready_answers_are_passed_on(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    assert client.server_live() is True
    assert client.server_ready() is True
    assert client.model_ready("m", version="2") is True
    assert fake_server.requests[2][1].name == "m"
    assert fake_server.requests[2][1].version == "2"


def test_repository_index_becomes_plain_values(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    assert client.repository_index(ready_only=True) == (
        ModelIndex(name="m", version="1", state="UNAVAILABLE", reason="no file"),
    )
    assert fake_server.requests[0][1].ready


def test_ready_false_is_false(client: Client, fake_server: FakeInferenceServer) -> None:
    for method in ("ServerReady", "ModelReady"):
        response = protos.message_class(f"inference.{method}Response")()
        fake_server.behaviours[method] = always(response)
    assert client.server_ready() is False
    assert client.model_ready("m") is False


def test_metadata_becomes_plain_values(client: Client) -> None:
    server = client.server_metadata()
    assert (server.name, server.version, server.extensions) == ("fake", "7", ("parameters",))
    model = client.model_metadata("m", version="3")
    assert (model.name, model.versions, model.platform) == ("m", ("3",), "none")
    assert model.inputs == (TensorMetadata(name="x", datatype="FP32", shape=(-1, 4)),)
    assert model.outputs == model.inputs


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequestError),
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, OverloadedError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.UNIMPLEMENTED, UnimplementedError),
        (grpc.StatusCode.INTERNAL, CallError),
        (grpc.StatusCode.UNKNOWN, CallError),
    ],
)
def test_failed_call_raises_the_kind_of_its_code(
    client: Client, fake_server: FakeInferenceServer, code: grpc.StatusCode, kind: type[CallError]
) -> None:
    fake_server.behaviours["ModelInfer"] = abort(code, "what was wrong")
    fake_server.behaviours["ModelReady"] = abort(code, "what was wrong")
    for call in (lambda: client.infer("m", X), lambda: client.model_ready("m")):
        with pytest.raises(PenstockClientError) as raised:
            call()
        assert type(raised.value) is kind
        assert raised.value.code == code.name
        assert raised.value.message == "what was wrong"
        assert str(raised.value) == f"{code.name}: what was wrong"
        assert raised.value.retry_after_s is None


@pytest.mark.parametrize(
    ("pushback", "retry_after_s", "forbidden"),
    [("1500", 1.5, False), ("-1", None, True), ("x", None, True)],
)
def test_pushback_becomes_retry_after(
    client: Client,
    fake_server: FakeInferenceServer,
    pushback: str,
    retry_after_s: float | None,
    forbidden: bool,
) -> None:
    def refuse(request: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    fake_server.behaviours["ModelInfer"] = refuse
    with pytest.raises(OverloadedError) as raised:
        client.infer("m", X)
    assert raised.value.retry_after_s == retry_after_s
    assert raised.value.retry_forbidden is forbidden


def test_call_error_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(OverloadedError("RESOURCE_EXHAUSTED", "full", 0.5, True)))
    assert type(copy) is OverloadedError
    assert (copy.code, copy.message) == ("RESOURCE_EXHAUSTED", "full")
    assert (copy.retry_after_s, copy.retry_forbidden) == (0.5, True)


def test_no_answer_within_the_timeout_is_a_deadline_error(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    released = threading.Event()

    def block(request: Any, context: grpc.ServicerContext) -> Any:
        released.wait(timeout=60)
        return protos.message_class("inference.ModelInferResponse")()

    fake_server.behaviours["ModelInfer"] = block
    try:
        with pytest.raises(DeadlineError):
            client.infer("m", X, timeout=0.1)
    finally:
        released.set()


def test_timeout_travels_to_the_server(client: Client, fake_server: FakeInferenceServer) -> None:
    remaining_s: list[float | None] = []

    def note(request: Any, context: grpc.ServicerContext) -> Any:
        remaining_s.append(context.time_remaining())
        return protos.message_class("inference.ServerLiveResponse")(live=True)

    fake_server.behaviours["ServerLive"] = note
    client.server_live()
    client.server_live(timeout=1000)
    client.server_live(timeout=None)
    of_the_client, of_the_call, none = remaining_s
    assert of_the_client is not None
    assert of_the_client < 40  # the fixture's 30, rounded up by gRPC
    assert of_the_call is not None
    assert 40 < of_the_call < 1100
    # Without a deadline grpcio says None or something far beyond any deadline.
    assert none is None or none > 1e6


def test_no_server_is_unavailable(make_client: Any) -> None:
    with socket.socket() as listener:  # bound but not listening: the port refuses
        listener.bind(("127.0.0.1", 0))
        with (
            make_client(f"127.0.0.1:{listener.getsockname()[1]}", timeout=30) as client,
            pytest.raises(UnavailableError),
        ):
            client.server_live()


def test_closed_client_says_so(client: Client) -> None:
    client.server_live()
    client.close()
    with pytest.raises(PenstockClientError, match="the client is closed"):
        client.server_live()
    with pytest.raises(PenstockClientError, match="the client is closed"):
        client.infer("m", X)


def test_replaced_model_has_its_input_name_asked_again(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    client.infer("m", X["x"])
    fake_server.behaviours["ModelInfer"] = abort(grpc.StatusCode.INVALID_ARGUMENT, "no input 'x'")
    with pytest.raises(InvalidRequestError):
        client.infer("m", X["x"])
    with pytest.raises(InvalidRequestError):
        client.infer("m", X["x"])
    methods = [method for method, _ in fake_server.requests]
    assert methods.count("ModelMetadata") == 2


def test_many_threads_share_one_client(client: Client) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(20):
                array = np.full((3, 2), number, np.int64)
                np.testing.assert_array_equal(client.infer("m", {"x": array})["x"], array)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_failing_server_is_tried_again(make_client: Any, fake_server: FakeInferenceServer) -> None:
    fake_server.behaviours["ModelInfer"] = failing_first(
        fake_server.behaviours["ModelInfer"],
        (grpc.StatusCode.UNAVAILABLE, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "1"),
    )
    with make_client(fake_server.address) as client:
        assert client.infer("m", X, request_id="7").request_id == "7"
    assert [request.id for _, request in fake_server.requests] == ["7", "7", "7"]


@pytest.mark.parametrize(
    ("code", "pushback"),
    [
        (grpc.StatusCode.UNAVAILABLE, "-1"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "unreadable"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None),
        (grpc.StatusCode.INTERNAL, "1"),
    ],
)
def test_failure_that_must_not_be_retried_arrives_once(
    make_client: Any, fake_server: FakeInferenceServer, code: grpc.StatusCode, pushback: str | None
) -> None:
    answer = fake_server.behaviours["ModelInfer"]
    fake_server.behaviours["ModelInfer"] = failing_first(answer, (code, pushback))
    with make_client(fake_server.address) as client, pytest.raises(CallError) as raised:
        client.infer("m", X)
    assert raised.value.code == code.name
    assert len(fake_server.requests) == 1


def test_lost_server_is_found_again(make_client: Any) -> None:
    """One client, one port, two servers one after the other."""
    policy = RetryPolicy(attempts_max=1000, budget_tokens_max=1000, backoff_max_s=0.1)
    with FakeInferenceServer() as first:
        with make_client(first.address, retry=policy) as client:
            assert client.server_live()
            first.close()
            second: list[FakeInferenceServer] = []
            port = int(first.address.rpartition(":")[2])

            def start() -> None:
                second.append(FakeInferenceServer(port).__enter__())

            starter = threading.Timer(0.2, start)  # the client fails in the meantime
            starter.start()
            assert client.server_live()
            starter.join()
        second[0].close()


def test_close_ends_calls_and_waits_for_retries(
    make_client: Any, fake_server: FakeInferenceServer
) -> None:
    """One call is on the server, one waits an hour as the server asked."""
    released, arrived = threading.Event(), threading.Semaphore(0)

    def block(request: Any, context: grpc.ServicerContext) -> Any:
        arrived.release()
        released.wait(timeout=60)
        return protos.message_class("inference.ModelInferResponse")()

    def push_back(request: Any, context: grpc.ServicerContext) -> Any:
        arrived.release()
        context.set_trailing_metadata((("grpc-retry-pushback-ms", "3600000"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "come back in an hour")

    fake_server.behaviours.update({"ModelInfer": block, "ServerLive": push_back})
    with (
        make_client(fake_server.address, timeout=None) as client,
        futures.ThreadPoolExecutor() as threads,
    ):
        try:
            infer = threads.submit(client.infer, "m", X)
            live = threads.submit(client.server_live)
            for _ in range(2):
                assert arrived.acquire(timeout=30)
            client.close()
            with pytest.raises(CallError, match="CANCELLED"):
                infer.result(30)
            # Cancelled, if the answer to wait for was still on its way.
            with pytest.raises(PenstockClientError, match=r"the client is closed|CANCELLED"):
                live.result(30)
        finally:
            released.set()


def failing_first(then: Any, *failures: tuple[grpc.StatusCode, str | None]) -> Any:
    """A behaviour that fails with each code and pushback in turn before it does `then`."""
    left = list(failures)

    def behave(request: Any, context: grpc.ServicerContext) -> Any:
        if not left:
            return then(request, context)
        code, pushback = left.pop(0)
        if pushback is not None:
            context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
        return context.abort(code, "not now")  # raises

    return behave
