"""grpcio by hand: what Triton's client never sends, and what gRPC itself promises."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from support import protos

TIMEOUT_S = 30.0
PATH = f"/{protos.INFERENCE}/ModelInfer"


def infer_request(x: Any, **fields: Any) -> Any:
    request = protos.message_class("inference.ModelInferRequest")(model_name="mlp", **fields)
    request.inputs.add(name="x", datatype="FP32", shape=x.shape)
    request.raw_input_contents.append(x.tobytes())
    return request


def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code()


def test_infer_answers_with_one_raw_output_per_output(
    channel: grpc.Channel, reference: Any, rows: Any
) -> None:
    x = rows(1, 64)
    response = protos.unary_stub(channel, "ModelInfer")(infer_request(x, id="7"), timeout=TIMEOUT_S)
    assert (response.model_name, response.model_version, response.id) == ("mlp", "1", "7")
    assert [output.name for output in response.outputs] == ["y"]
    assert response.outputs[0].datatype == "FP32"
    assert list(response.outputs[0].shape) == [1, 10]
    assert not response.outputs[0].HasField("contents")
    assert list(response.raw_output_contents) == [reference("mlp", x=x)["y"].tobytes()]


def test_infer_pipelined_calls_get_their_own_answers(
    channel: grpc.Channel, reference: Any, rows: Any
) -> None:
    x = rows(300, 64)
    expected = reference("mlp", x=x)["y"]
    stub = protos.unary_stub(channel, "ModelInfer")
    calls = [
        stub.future(infer_request(x[row : row + 1], id=str(row)), timeout=TIMEOUT_S)
        for row in range(len(x))
    ]
    for row, call in enumerate(calls):
        response = call.result(timeout=2 * TIMEOUT_S)
        assert response.id == str(row)
        y = np.frombuffer(response.raw_output_contents[0], np.float32)
        assert np.abs(y - expected[row]).max() <= 1e-5 * np.abs(expected).max()


def test_infer_cancelled_calls_leave_the_connection_usable(
    channel: grpc.Channel, rows: Any
) -> None:
    stub = protos.unary_stub(channel, "ModelInfer")
    for _ in range(100):
        stub.future(infer_request(rows(8, 64)), timeout=TIMEOUT_S).cancel()
    response = stub(infer_request(rows(1, 64)), timeout=TIMEOUT_S)
    assert list(response.outputs[0].shape) == [1, 10]


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x0a\x7fmlp", b"\x0a\x03mlp\x2a\x05\x0a\x7f", bytes(range(256))],
    ids=["varint", "cut-name", "cut-input", "noise"],
)
def test_infer_malformed_message_is_invalid_argument(
    channel: grpc.Channel, rows: Any, data: bytes
) -> None:
    raw = channel.unary_unary(PATH)
    assert code_of(lambda: raw(data, timeout=TIMEOUT_S)) == grpc.StatusCode.INVALID_ARGUMENT
    response = protos.unary_stub(channel, "ModelInfer")(
        infer_request(rows(1, 64)), timeout=TIMEOUT_S
    )
    assert response.outputs


@pytest.mark.parametrize("method", ["ServerLive", "ModelReady", "ServerMetadata", "ModelMetadata"])
def test_control_call_malformed_message_is_invalid_argument(
    channel: grpc.Channel, method: str
) -> None:
    raw = channel.unary_unary(f"/{protos.INFERENCE}/{method}")
    code = code_of(lambda: raw(b"\x0a\x7fx", timeout=TIMEOUT_S))
    assert code == grpc.StatusCode.INVALID_ARGUMENT


def test_infer_unknown_fields_are_ignored(channel: grpc.Channel, rows: Any) -> None:
    raw = channel.unary_unary(
        PATH, response_deserializer=protos.message_class("inference.ModelInferResponse").FromString
    )
    future_field = b"\xa2\x06\x03abc"  # number 100
    data = future_field + infer_request(rows(1, 64)).SerializeToString() + future_field
    assert list(raw(data, timeout=TIMEOUT_S).outputs[0].shape) == [1, 10]


def test_infer_bytes_that_do_not_fit_the_shape_say_which(channel: grpc.Channel, rows: Any) -> None:
    request = infer_request(rows(1, 64))
    request.raw_input_contents[0] = request.raw_input_contents[0][:60]
    with pytest.raises(grpc.RpcError) as raised:
        protos.unary_stub(channel, "ModelInfer")(request, timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == (
        "input 'x': 60 bytes in raw_input_contents, FP32 [1,64] needs 256"
    )


def test_infer_hostile_shapes_are_invalid_argument(channel: grpc.Channel, rows: Any) -> None:
    stub = protos.unary_stub(channel, "ModelInfer")
    for shape in ([-1, 64], [2**62, 64], [2**32, 2**32], [1] * 40 + [64], []):
        request = infer_request(rows(1, 64))
        request.inputs[0].shape[:] = shape
        code = code_of(lambda request=request: stub(request, timeout=TIMEOUT_S))
        assert code == grpc.StatusCode.INVALID_ARGUMENT, shape


@pytest.mark.parametrize("extra", [0, 2])
def test_infer_raw_contents_not_one_per_input_is_invalid_argument(
    channel: grpc.Channel, rows: Any, extra: int
) -> None:
    request = infer_request(rows(1, 64))
    request.raw_input_contents[:] = list(request.raw_input_contents) * extra
    code = code_of(lambda: protos.unary_stub(channel, "ModelInfer")(request, timeout=TIMEOUT_S))
    assert code == grpc.StatusCode.INVALID_ARGUMENT


def test_call_not_offered_is_unimplemented(channel: grpc.Channel) -> None:
    offered = set(protos.generator().OFFERED[protos.generator().INFERENCE_FILE])
    for method in protos.methods():
        if method.name in offered or method.client_streaming:
            continue
        request = protos.message_class(method.input_type.full_name)()
        stub = protos.unary_stub(channel, method.name)
        code = code_of(lambda stub=stub, request=request: stub(request, timeout=TIMEOUT_S))
        assert code == grpc.StatusCode.UNIMPLEMENTED, method.name


@pytest.mark.parametrize("path", [f"/{protos.INFERENCE}/Nothing", "/no.Service/Call", "/x/y/z"])
def test_unknown_path_is_unimplemented(channel: grpc.Channel, path: str) -> None:
    raw = channel.unary_unary(path)
    assert code_of(lambda: raw(b"", timeout=TIMEOUT_S)) == grpc.StatusCode.UNIMPLEMENTED


def test_message_past_the_limit_is_resource_exhausted(channel: grpc.Channel, rows: Any) -> None:
    """The default limit is 64 MiB."""
    raw = channel.unary_unary(PATH)
    code = code_of(lambda: raw(bytes(65 * 2**20), timeout=TIMEOUT_S))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    response = protos.unary_stub(channel, "ModelInfer")(
        infer_request(rows(1, 64)), timeout=TIMEOUT_S
    )
    assert response.outputs


def test_large_request_and_response_pass(start_server: Any) -> None:
    x = np.arange(3_000_000, dtype=np.float32).reshape(1, -1, 2)  # 12 MB each way, one row
    server = start_server("free_inner")  # Relu, and x is not negative
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        request = infer_request(x)
        request.model_name = "free_inner"
        response = protos.unary_stub(channel, "ModelInfer")(request, timeout=2 * TIMEOUT_S)
    assert response.raw_output_contents[0] == x.tobytes()


def test_compressed_request_is_unimplemented_and_names_identity(models_server: Any) -> None:
    """For now: gRPC lets a server refuse an encoding, if it says which ones it reads."""
    with grpc.insecure_channel(models_server.address, compression=grpc.Compression.Gzip) as channel:
        request = infer_request(np.zeros((100, 64), np.float32))  # compresses well
        call = protos.unary_stub(channel, "ModelInfer").future(request, timeout=TIMEOUT_S)
        assert call.code() == grpc.StatusCode.UNIMPLEMENTED
        metadata = dict([*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())])
    # grpcio may keep this header to itself; where it shows it, it must be right.
    assert metadata.get("grpc-accept-encoding", "identity") == "identity"
