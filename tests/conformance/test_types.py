"""Every datatype through unmodified clients: raw, as Triton's client sends it, and typed, which
grpcio can write; and the parameters that clients send."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import grpc
import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from support import infer, protos
from tritonclient.utils import InferenceServerException

TIMEOUT_S = 30.0

# The field of typed contents, and six elements with both ends of the range.
TYPED: dict[str, tuple[str, list[Any]]] = {
    "BOOL": ("bool_contents", [True, False, False, True, True, False]),
    "INT8": ("int_contents", [-128, 127, 0, -1, 1, 5]),
    "INT16": ("int_contents", [-(2**15), 2**15 - 1, 0, -1, 1, 300]),
    "INT32": ("int_contents", [-(2**31), 2**31 - 1, 0, -1, 1, 70000]),
    "INT64": ("int64_contents", [-(2**63), 2**63 - 1, 0, -1, 1, 2**40]),
    "UINT8": ("uint_contents", [0, 255, 1, 2, 3, 4]),
    "UINT16": ("uint_contents", [0, 2**16 - 1, 1, 2, 3, 300]),
    "UINT32": ("uint_contents", [0, 2**32 - 1, 1, 2, 3, 70000]),
    "UINT64": ("uint64_contents", [0, 2**64 - 1, 1, 2, 3, 2**40]),
    "FP32": ("fp32_contents", [0.0, -0.5, 1e30, float("inf"), -3.25, 1e-40]),
    "FP64": ("fp64_contents", [0.0, -0.5, 1e300, float("inf"), 0.1, 1e-310]),
    "BYTES": ("bytes_contents", [b"a\0b", b"\0", b"", b"\xff\xfe", b"text", b"x" * 300]),
}
RAW_ONLY = ("FP16", "BF16")


@pytest.fixture(scope="module")
def server(start_shared_server: Any) -> Any:
    return start_shared_server(*(f"identity_{name.lower()}" for name in (*TYPED, *RAW_ONLY)))


@pytest.fixture(scope="module")
def ask(server: Any) -> Any:
    with grpc.insecure_channel(server.address) as channel:
        stub = protos.unary_stub(channel, "ModelInfer")
        yield lambda request: stub(request, timeout=TIMEOUT_S)


def array_of(datatype: str) -> NDArray[Any]:
    kind = object if datatype == "BYTES" else infer.DTYPES[datatype]
    return np.array(TYPED[datatype][1], kind).reshape(2, 3)


def typed_request(datatype: str, elements: list[Any] | None = None) -> Any:
    request = protos.message_class("inference.ModelInferRequest")(
        model_name=f"identity_{datatype.lower()}", id="9"
    )
    field, all_elements = TYPED[datatype]
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[2, 3])
    getattr(tensor.contents, field).extend(all_elements if elements is None else elements)
    return request


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_contents_are_answered_raw(ask: Any, datatype: str) -> None:
    response = ask(typed_request(datatype))
    assert response.id == "9"
    assert [output.datatype for output in response.outputs] == [datatype]
    assert not response.outputs[0].HasField("contents")
    assert list(response.raw_output_contents) == [infer.raw_of(array_of(datatype))]


@pytest.mark.parametrize("datatype", TYPED)
def test_raw_contents_are_answered_as_typed_ones(ask: Any, datatype: str) -> None:
    request = infer.make_request(f"identity_{datatype.lower()}", {"x": array_of(datatype)})
    assert ask(request).raw_output_contents == ask(typed_request(datatype)).raw_output_contents


def test_typed_contents_one_by_one_are_those_packed(ask: Any, server: Any) -> None:
    """Encoders may leave out the packing: here every element has a key of its own."""
    elements = b"".join(b"\x35" + struct.pack("<f", value) for value in range(6))
    contents = b"\x2a" + bytes([len(elements)]) + elements
    tensor = b"\x0a\x01x\x12\x04FP32\x1a\x02\x02\x03" + contents
    message = b"\x0a\x0didentity_fp32\x2a" + bytes([len(tensor)]) + tensor
    with grpc.insecure_channel(server.address) as channel:
        answer = channel.unary_unary(f"/{protos.INFERENCE}/ModelInfer")(message, timeout=TIMEOUT_S)
    raw = infer.parse_response(answer).raw_output_contents[0]
    assert raw == np.arange(6, dtype=np.float32).tobytes()


@pytest.mark.parametrize(
    ("datatype", "elements", "says"),
    [
        ("INT8", [0, 128, 0, 0, 0, 0], "element 1 of int_contents is 128, INT8 holds -128 to 127"),
        ("INT16", [-32769, 0, 0, 0, 0, 0], "element 0 of int_contents is -32769"),
        ("UINT8", [256, 0, 0, 0, 0, 0], "UINT8 holds 0 to 255"),
        ("UINT16", [0, 0, 0, 0, 0, 65536], "element 5 of uint_contents is 65536"),
        ("FP32", [1.0] * 5, "5 elements in fp32_contents, FP32 [2,3] needs 6"),
        ("BYTES", [b""] * 7, "7 elements in bytes_contents, BYTES [2,3] needs 6"),
    ],
)
def test_typed_contents_that_do_not_fit_are_refused(
    ask: Any, datatype: str, elements: list[Any], says: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ask(typed_request(datatype, elements))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert says in raised.value.details()


@pytest.mark.parametrize("datatype", RAW_ONLY)
def test_half_precision_has_no_typed_contents(ask: Any, datatype: str) -> None:
    request = typed_request("FP32")
    request.model_name = f"identity_{datatype.lower()}"
    request.inputs[0].datatype = datatype
    with pytest.raises(grpc.RpcError) as raised:
        ask(request)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"{datatype} has no typed contents" in raised.value.details()


@pytest.mark.parametrize("datatype", [*TYPED, *RAW_ONLY])
def test_triton_client_gets_back_what_it_sent(server: Any, datatype: str) -> None:
    if datatype in TYPED:
        x = array_of(datatype)
    else:
        kind = np.float16 if datatype == "FP16" else ml_dtypes.bfloat16
        x = np.array([[0, -0.5, 1], [2, 96, -3.5]], kind)
    with triton.InferenceServerClient(server.address) as client:
        y = client.infer(
            f"identity_{datatype.lower()}",
            [tensor(triton, x, datatype)],
            client_timeout=TIMEOUT_S,
        ).as_numpy("y")
    np.testing.assert_array_equal(y, x)


def test_triton_aio_client_strings(server: Any) -> None:
    x = array_of("BYTES")

    async def run() -> list[Any]:
        async with triton_aio.InferenceServerClient(server.address) as client:
            inputs = [tensor(triton_aio, x, "BYTES")]
            calls = (client.infer("identity_bytes", inputs) for _ in range(20))
            return await asyncio.gather(*calls)

    for result in asyncio.run(run()):
        np.testing.assert_array_equal(result.as_numpy("y"), x)


def test_triton_client_parameters_are_accepted(server: Any) -> None:
    x = array_of("FP32")
    with triton.InferenceServerClient(server.address) as client:
        result = client.infer(
            "identity_fp32",
            [tensor(triton, x, "FP32")],
            sequence_id=7,
            sequence_start=True,
            sequence_end=True,
            priority=1,
            timeout=30_000_000,
            parameters={"custom": "text", "count": 3, "flag": True},
            client_timeout=TIMEOUT_S,
        )
    np.testing.assert_array_equal(result.as_numpy("y"), x)
    assert not result.get_response().parameters


def with_shared_memory_input() -> dict[str, Any]:
    made = triton.InferInput("x", [2, 3], "FP32")
    made.set_shared_memory("region", 24)
    return {"inputs": [made]}


def with_shared_memory_output() -> dict[str, Any]:
    output = triton.InferRequestedOutput("y")
    output.set_shared_memory("region", 24)
    return {"inputs": [tensor(triton, array_of("FP32"), "FP32")], "outputs": [output]}


@pytest.mark.parametrize("request_of", [with_shared_memory_input, with_shared_memory_output])
def test_triton_client_what_is_not_served_is_unimplemented(
    server: Any, request_of: Callable[[], dict[str, Any]]
) -> None:
    with (
        triton.InferenceServerClient(server.address) as client,
        pytest.raises(InferenceServerException) as raised,
    ):
        client.infer("identity_fp32", **request_of(), client_timeout=TIMEOUT_S)
    assert raised.value.status() == "StatusCode.UNIMPLEMENTED"
    assert "not served" in raised.value.message()


def tensor(module: Any, array: NDArray[Any], datatype: str) -> Any:
    made = module.InferInput("x", list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made
