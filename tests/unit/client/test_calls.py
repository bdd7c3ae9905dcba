"""The control calls, and what becomes of failures."""

import pickle
import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from penstock_client import (
    CallError,
    Client,
    DeadlineError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PenstockClientError,
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


@pytest.mark.parametrize(("pushback", "retry_after_s"), [("1500", 1.5), ("-1", None), ("x", None)])
def test_pushback_becomes_retry_after(
    client: Client,
    fake_server: FakeInferenceServer,
    pushback: str,
    retry_after_s: float | None,
) -> None:
    def refuse(request: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    fake_server.behaviours["ModelInfer"] = refuse
    with pytest.raises(OverloadedError) as raised:
        client.infer("m", X)
    assert raised.value.retry_after_s == retry_after_s


def test_call_error_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(OverloadedError("RESOURCE_EXHAUSTED", "full", 0.5)))
    assert type(copy) is OverloadedError
    assert (copy.code, copy.message, copy.retry_after_s) == ("RESOURCE_EXHAUSTED", "full", 0.5)


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


def test_no_server_is_unavailable() -> None:
    with socket.socket() as listener:  # bound but not listening: the port refuses
        listener.bind(("127.0.0.1", 0))
        with (
            Client(f"127.0.0.1:{listener.getsockname()[1]}", timeout=30) as client,
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
