"""Outputs that ONNX has and the protocol has not, served as tensors, against ONNX Runtime's own
Python API: sequences of maps as scikit-learn's converters write them, sequences, optionals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray

TIMEOUT_S = 30.0
SEED = 20261122


@pytest.fixture(scope="module")
def server(start_shared_server: Any) -> Any:
    models = ["zipmap_int", "zipmap_string", "sequence_of_rows", "optional_output"]
    # Through the pool: what waits together runs together.
    return start_shared_server(*models, flags=["--execution", "pool", "--report-batch-size"])


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    with triton.InferenceServerClient(server.address) as made:
        yield made


def rows(count: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(SEED).normal(size=(count, width)).astype(np.float32)


def tensor(x: NDArray[np.float32]) -> Any:
    made = triton.InferInput("x", list(x.shape), "FP32")
    made.set_data_from_numpy(x)
    return made


def expected_table(maps: list[dict[Any, float]]) -> tuple[list[list[float]], list[list[Any]]]:
    keys = sorted(maps[0])
    return [[row[key] for key in keys] for row in maps], [keys for _ in maps]


def check_table(result: Any, maps: list[dict[Any, float]]) -> None:
    scores, labels = expected_table(maps)
    np.testing.assert_allclose(result.as_numpy("probability"), scores, rtol=1e-6, atol=1e-7)
    got = result.as_numpy("probability_labels")
    if got.dtype == object:
        got = np.vectorize(bytes.decode)(got)
    assert got.tolist() == labels


@pytest.mark.parametrize("model", ["zipmap_int", "zipmap_string"])
@pytest.mark.parametrize("count", [1, 5])
def test_maps_are_a_table_of_scores_and_one_of_labels(
    client: Any, test_models: Path, model: str, count: int
) -> None:
    x = rows(count, 3)
    session = onnxruntime.InferenceSession(test_models / f"{model}.onnx")
    label, maps = session.run(None, {"x": x})
    result = client.infer(model, [tensor(x)], client_timeout=TIMEOUT_S)
    assert result.as_numpy("label").tolist() == label.tolist()
    check_table(result, maps)


def test_maps_of_requests_that_ran_together_go_to_their_own(client: Any, test_models: Path) -> None:
    x = rows(64, 3)
    maps = onnxruntime.InferenceSession(test_models / "zipmap_string.onnx").run(None, {"x": x})[1]
    results: dict[int, Any] = {}
    done = threading.Semaphore(0)

    def keep(index: int, result: Any, error: Any) -> None:
        results[index] = error or result
        done.release()

    for index in range(0, 64, 2):
        client.async_infer(
            "zipmap_string",
            [tensor(x[index : index + 2])],
            lambda result, error, index=index: keep(index, result, error),
        )
    for _ in range(32):
        assert done.acquire(timeout=TIMEOUT_S)
    for index, result in results.items():
        check_table(result, maps[index : index + 2])


def test_metadata_lists_the_tensors_that_are_served(client: Any) -> None:
    metadata = client.get_model_metadata("zipmap_string", client_timeout=TIMEOUT_S)
    served = [(output.name, output.datatype, list(output.shape)) for output in metadata.outputs]
    assert served == [
        ("label", "INT64", [-1]),
        ("probability", "FP32", [-1, -1]),
        ("probability_labels", "BYTES", [-1, -1]),
    ]


def test_requested_output_alone_is_sent(client: Any) -> None:
    wanted = [triton.InferRequestedOutput("probability")]
    result = client.infer("zipmap_int", [tensor(rows(2, 3))], outputs=wanted)
    assert [output.name for output in result.get_response().outputs] == ["probability"]


@pytest.mark.parametrize("model", ["sequence_of_rows", "optional_output"])
def test_sequence_and_optional_are_their_tensors(client: Any, model: str) -> None:
    x = rows(3, 4)
    result = client.infer(model, [tensor(x)], client_timeout=TIMEOUT_S)
    assert np.array_equal(result.as_numpy("y"), x)
