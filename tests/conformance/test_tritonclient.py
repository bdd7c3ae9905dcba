"""Triton's own Python client, unmodified, over its synchronous and asyncio transports."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

TIMEOUT_S = 30.0
# Across batch sizes, relative to the largest output; at one size results are bit-equal.
TOLERANCE = 1e-5

IDENTITY_TYPES = {
    "bool": np.bool_,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "fp16": np.float16,
    "fp32": np.float32,
    "fp64": np.float64,
}


def tensor(name: str, array: NDArray[Any], datatype: str = "FP32", module: Any = triton) -> Any:
    made = module.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def assert_close(actual: NDArray[Any], expected: NDArray[Any]) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert np.abs(actual - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.fixture
def client(models_server: Any) -> Iterator[Any]:
    with triton.InferenceServerClient(models_server.address) as made:
        yield made


def test_live_and_ready(client: Any) -> None:
    assert client.is_server_live(client_timeout=TIMEOUT_S)
    assert client.is_server_ready(client_timeout=TIMEOUT_S)
    assert client.is_model_ready("mlp", client_timeout=TIMEOUT_S)
    assert client.is_model_ready("two_by_two", "1", client_timeout=TIMEOUT_S)


def test_unknown_model_is_not_ready(client: Any) -> None:
    for name, version in (("missing", ""), ("mlp", "99")):
        try:
            ready = client.is_model_ready(name, version, client_timeout=TIMEOUT_S)
        except InferenceServerException as error:
            assert error.status() == "StatusCode.NOT_FOUND"  # noqa: PT017, either is the protocol's
        else:
            assert not ready


def test_metadata(client: Any) -> None:
    server = client.get_server_metadata(client_timeout=TIMEOUT_S)
    assert server.name == "penstock"
    assert server.version
    model = client.get_model_metadata("two_by_two", client_timeout=TIMEOUT_S)
    assert model.name == "two_by_two"
    assert list(model.versions) == ["1"]
    assert model.platform == "onnxruntime_onnx"
    for tensors, names in ((model.inputs, ["a", "b"]), (model.outputs, ["sum", "product"])):
        assert [one.name for one in tensors] == names
        assert [one.datatype for one in tensors] == ["FP32", "FP32"]
        assert [list(one.shape) for one in tensors] == [[-1, 4], [-1, 4]]


def test_infer_one_row_is_bit_equal(client: Any, reference: Any, rows: Any) -> None:
    x = rows(1, 64)
    result = client.infer("mlp", [tensor("x", x)], client_timeout=TIMEOUT_S)
    y = result.as_numpy("y")
    np.testing.assert_array_equal(y, reference("mlp", x=x)["y"])
    assert y.dtype == np.float32
    assert result.get_response().model_name == "mlp"
    assert result.get_response().model_version == "1"


@pytest.mark.parametrize("count", [2, 7, 63, 64])
def test_infer_several_rows(client: Any, reference: Any, rows: Any, count: int) -> None:
    x = rows(count, 64)
    result = client.infer("mlp", [tensor("x", x)], client_timeout=TIMEOUT_S)
    assert_close(result.as_numpy("y"), reference("mlp", x=x)["y"])


def test_infer_more_rows_than_a_batch_is_invalid(client: Any, rows: Any) -> None:
    """As in Triton; the message names the limit, which the fixture sets."""
    with pytest.raises(InferenceServerException, match=r"65 rows.* 64 .*max_batch_size") as raised:
        client.infer("mlp", [tensor("x", rows(65, 64))], client_timeout=TIMEOUT_S)
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_infer_inputs_are_matched_by_name_not_by_place(client: Any, rows: Any) -> None:
    a, b = rows(3, 4), rows(3, 4)
    for inputs in ([tensor("a", a), tensor("b", b)], [tensor("b", b), tensor("a", a)]):
        result = client.infer("two_by_two", inputs, client_timeout=TIMEOUT_S)
        np.testing.assert_array_equal(result.as_numpy("sum"), a + b)
        np.testing.assert_array_equal(result.as_numpy("product"), a * b)


@pytest.mark.parametrize("wanted", [["product"], ["sum"], ["product", "sum"]])
def test_infer_only_requested_outputs(client: Any, rows: Any, wanted: list[str]) -> None:
    a, b = rows(2, 4), rows(2, 4)
    result = client.infer(
        "two_by_two",
        [tensor("a", a), tensor("b", b)],
        outputs=[triton.InferRequestedOutput(name) for name in wanted],
        client_timeout=TIMEOUT_S,
    )
    assert sorted(output.name for output in result.get_response().outputs) == sorted(wanted)
    expected = {"sum": a + b, "product": a * b}
    for name in wanted:
        np.testing.assert_array_equal(result.as_numpy(name), expected[name])


def test_infer_id_and_version_come_back(client: Any, rows: Any) -> None:
    result = client.infer(
        "mlp",
        [tensor("x", rows(1, 64))],
        model_version="1",
        request_id="request 17",
        client_timeout=TIMEOUT_S,
    )
    assert result.get_response().id == "request 17"


def test_infer_every_numeric_type(start_server: Any) -> None:
    server = start_server(*(f"identity_{name}" for name in IDENTITY_TYPES))
    with triton.InferenceServerClient(server.address) as client:
        for name, dtype in IDENTITY_TYPES.items():
            x: NDArray[Any] = np.array([[0, 1, 1], [1, 0, 1]], dtype)
            if dtype is not np.bool_:
                x[0] = (0, 3, 100)
            result = client.infer(
                f"identity_{name}", [tensor("x", x, name.upper())], client_timeout=TIMEOUT_S
            )
            y = result.as_numpy("y")
            assert y.dtype == x.dtype, name
            np.testing.assert_array_equal(y, x, err_msg=name)


@pytest.mark.parametrize(
    ("model", "version", "name", "shape", "datatype", "code", "mentions"),
    [
        ("missing", "", "x", (1, 64), "FP32", "NOT_FOUND", "missing"),
        ("mlp", "99", "x", (1, 64), "FP32", "NOT_FOUND", "99"),
        ("mlp", "one", "x", (1, 64), "FP32", "", "one"),
        ("mlp", "", "wrong", (1, 64), "FP32", "INVALID_ARGUMENT", "wrong"),
        ("mlp", "", "x", (1, 64), "INT32", "INVALID_ARGUMENT", "'x'"),
        ("mlp", "", "x", (1, 63), "FP32", "INVALID_ARGUMENT", "'x'"),
        ("mlp", "", "x", (64,), "FP32", "INVALID_ARGUMENT", "'x'"),
        ("two_by_two", "", "a", (1, 4), "FP32", "INVALID_ARGUMENT", "'b'"),
    ],
    ids=["model", "version", "bad-version", "input", "dtype", "columns", "rank", "missing-input"],
)
def test_infer_bad_request_gets_its_code(
    client: Any,
    rows: Any,
    model: str,
    version: str,
    name: str,
    shape: tuple[int, ...],
    datatype: str,
    code: str,
    mentions: str,
) -> None:
    array = np.ones(shape, np.int32 if datatype == "INT32" else np.float32)
    with pytest.raises(InferenceServerException) as raised:
        client.infer(model, [tensor(name, array, datatype)], version, client_timeout=TIMEOUT_S)
    expected = [code] if code else ["INVALID_ARGUMENT", "NOT_FOUND"]
    assert raised.value.status() in [f"StatusCode.{one}" for one in expected]
    assert mentions in raised.value.message()
    # Nobody else is hurt: the same connection goes on.
    x = rows(1, 64)
    assert client.infer("mlp", [tensor("x", x)], client_timeout=TIMEOUT_S).as_numpy("y").shape == (
        1,
        10,
    )


def test_infer_unknown_output_is_invalid(client: Any, rows: Any) -> None:
    with pytest.raises(InferenceServerException, match="nothing") as raised:
        client.infer(
            "mlp",
            [tensor("x", rows(1, 64))],
            outputs=[triton.InferRequestedOutput("nothing")],
            client_timeout=TIMEOUT_S,
        )
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.load_model("mlp", client_timeout=TIMEOUT_S),
        lambda client: client.get_system_shared_memory_status(client_timeout=TIMEOUT_S),
    ],
    ids=["load", "shared-memory"],
)
def test_call_that_is_not_offered_is_unimplemented(client: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(InferenceServerException) as raised:
        call(client)
    assert raised.value.status() == "StatusCode.UNIMPLEMENTED"


def test_async_infer_many_in_flight_get_their_own_answers(
    client: Any, reference: Any, rows: Any
) -> None:
    x = rows(200, 64)
    expected = reference("mlp", x=x)["y"]
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()

    def note(row: int) -> Callable[[Any, Any], None]:
        return lambda result, error: answers.put((row, result, error))

    for row in range(len(x)):
        client.async_infer(
            "mlp", [tensor("x", x[row : row + 1])], note(row), client_timeout=TIMEOUT_S
        )
    for _ in range(len(x)):
        row, result, error = answers.get(timeout=2 * TIMEOUT_S)
        assert error is None
        assert_close(result.as_numpy("y"), expected[row : row + 1])


def test_aio_client_many_at_once(models_server: Any, reference: Any, rows: Any) -> None:
    x = rows(100, 64)
    expected = reference("mlp", x=x)["y"]

    async def run() -> list[Any]:
        async with triton_aio.InferenceServerClient(models_server.address) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("mlp")
            assert (await client.get_model_metadata("mlp")).name == "mlp"
            return await asyncio.gather(
                *(
                    client.infer(
                        "mlp",
                        [tensor("x", x[row : row + 1], module=triton_aio)],
                        client_timeout=TIMEOUT_S,
                    )
                    for row in range(len(x))
                )
            )

    for row, result in enumerate(asyncio.run(run())):
        assert_close(result.as_numpy("y"), expected[row : row + 1])


def test_aio_client_unknown_model_is_not_found(models_server: Any, rows: Any) -> None:
    async def run() -> None:
        async with triton_aio.InferenceServerClient(models_server.address) as client:
            await client.infer("missing", [tensor("x", rows(1, 64), module=triton_aio)])

    with pytest.raises(InferenceServerException) as raised:
        asyncio.run(run())
    assert raised.value.status() == "StatusCode.NOT_FOUND"
