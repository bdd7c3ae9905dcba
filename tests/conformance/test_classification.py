"""The `classification` parameter, as Triton's own client asks for it and reads the answer."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

TIMEOUT_S = 30.0
CLASSES = 10


@pytest.fixture(scope="module", params=["inline", "pool"])
def shared_server(request: Any, start_shared_server: Any) -> Any:
    flags = ["--execution", request.param, "--max-batch-size", "64"]
    return start_shared_server("mlp", "two_by_two", "identity_bytes", "identity_bool", flags=flags)


@pytest.fixture
def client(shared_server: Any) -> Iterator[Any]:
    with triton.InferenceServerClient(shared_server.address) as made:
        yield made


def input_of(name: str, array: NDArray[Any], datatype: str = "FP32") -> Any:
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def parse(texts: NDArray[Any]) -> list[list[tuple[float, int]]]:
    pairs = [[text.decode().split(":") for text in row] for row in texts]
    return [[(float(value), int(index)) for value, index in row] for row in pairs]


def best(values: NDArray[np.float32], count: int) -> list[list[tuple[float, int]]]:
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return [
        [(float(row[index]), int(index)) for index in chosen]
        for row, chosen in zip(values, order, strict=True)
    ]


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("count", [1, 3, CLASSES, 1000])
def test_class_count_best_of_each_row_in_order(
    client: Any, reference: Any, rows: int, count: int
) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 64)).astype(np.float32)
    output = triton.InferRequestedOutput("y", class_count=count)
    result = client.infer("mlp", [input_of("x", x)], outputs=[output], client_timeout=TIMEOUT_S)
    assert result.get_output("y").datatype == "BYTES"
    texts = result.as_numpy("y")
    assert texts.shape == (rows, min(count, CLASSES))
    asked = parse(texts)
    expected = best(reference("mlp", x=x)["y"], count)
    assert [[index for _, index in row] for row in asked] == [
        [index for _, index in row] for row in expected
    ]
    np.testing.assert_allclose(
        [value for row in asked for value, _ in row],
        [value for row in expected for value, _ in row],
        rtol=1e-4,
        atol=1e-6,
    )


def test_class_count_values_read_back_as_the_same_floats(client: Any) -> None:
    a = np.array([[0.1, 1e-30, -3.25, 2**-20]], np.float32)
    outputs = [
        triton.InferRequestedOutput("product", class_count=4),
        triton.InferRequestedOutput("sum"),
    ]
    b = np.array([[1, 3, 7, 1 / 3]], np.float32)
    inputs = [input_of("a", a), input_of("b", b)]
    result = client.infer("two_by_two", inputs, outputs=outputs, client_timeout=TIMEOUT_S)
    # The output beside it stays a tensor.
    np.testing.assert_array_equal(result.as_numpy("sum"), a + b)
    product = a * b
    for value, index in parse(result.as_numpy("product"))[0]:
        assert np.float32(value) == product[0, index]


def test_class_count_beside_calls_without_each_gets_its_own(client: Any, reference: Any) -> None:
    x = np.random.default_rng(1).normal(size=(40, 1, 64)).astype(np.float32)
    answers: queue.Queue[Any] = queue.Queue()

    def send(index: int) -> None:
        outputs = [triton.InferRequestedOutput("y", class_count=index % 4)]
        client.async_infer(
            "mlp",
            [input_of("x", x[index])],
            lambda result, error: answers.put((index, result, error)),
            outputs=outputs,
            client_timeout=TIMEOUT_S,
        )

    for index in range(len(x)):
        send(index)
    for _ in range(len(x)):
        index, result, error = answers.get(timeout=TIMEOUT_S)
        assert error is None
        expected = reference("mlp", x=x[index])["y"]
        answer = result.as_numpy("y")
        if index % 4 == 0:
            np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-6)
        else:
            chosen = [place for _, place in parse(answer)[0]]
            assert chosen == [place for _, place in best(expected, index % 4)[0]]


@pytest.mark.parametrize(
    ("model", "datatype", "value"),
    [("identity_bytes", "BYTES", b"7"), ("identity_bool", "BOOL", 1)],
)
def test_class_count_what_is_no_number_is_refused(
    client: Any, model: str, datatype: str, value: Any
) -> None:
    x = np.full((1, 3), value, object if datatype == "BYTES" else bool)
    output = triton.InferRequestedOutput("y", class_count=1)
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, [input_of("x", x, datatype)], outputs=[output])
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert caught.value.message() == (
        f"output 'y': parameter 'classification': the output is {datatype}, numbers are needed "
        "to tell classes"
    )


def test_class_count_below_one_is_refused(client: Any) -> None:
    x = np.zeros((1, 64), np.float32)
    output = triton.InferRequestedOutput("y", class_count=-1)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("mlp", [input_of("x", x)], outputs=[output])
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "an int64_param of 1 or more is expected" in caught.value.message()
