"""Triton's extensions `statistics` and `model_configuration`, asked by its own client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

TIMEOUT_S = 30.0
MAX_BATCH_SIZE = 8


@pytest.fixture(params=["inline", "pool"])
def client(request: Any, start_server: Any) -> Iterator[Any]:
    """A server of its own for each test, which counts from zero; both ways to run."""
    flags = ["--max-batch-size", str(MAX_BATCH_SIZE), "--execution", request.param]
    server = start_server("mlp", "two_by_two", flags=flags)
    with triton.InferenceServerClient(server.address) as made:
        yield made


def infer(client: Any, rows: int, width: int = 64) -> None:
    x = triton.InferInput("x", [rows, width], "FP32")
    x.set_data_from_numpy(np.ones((rows, width), np.float32))
    client.infer("mlp", [x], client_timeout=TIMEOUT_S)


def statistics(client: Any, *which: str) -> Any:
    return client.get_inference_statistics(*which, client_timeout=TIMEOUT_S).model_stats


def test_extensions_are_listed(client: Any) -> None:
    extensions = client.get_server_metadata(client_timeout=TIMEOUT_S).extensions
    assert {"statistics", "model_configuration"} <= set(extensions)


def test_nothing_is_counted_before_the_first_call(client: Any) -> None:
    [model] = statistics(client, "mlp")
    assert (model.name, model.version) == ("mlp", "1")
    assert (model.inference_count, model.execution_count, model.last_inference) == (0, 0, 0)
    assert model.inference_stats.success.count == 0


def test_statistics_agree_with_what_was_sent(client: Any) -> None:
    began_ms = time.time_ns() // 1_000_000
    sent = [1, 3, 8, 1]
    for rows in sent:
        infer(client, rows)
    [model] = statistics(client, "mlp")
    assert model.inference_count == sum(sent)
    assert model.execution_count == len(sent), "one after the other, none shares a run"
    stats = model.inference_stats
    assert (stats.success.count, stats.fail.count) == (len(sent), 0)
    assert stats.queue.count == stats.compute_infer.count == len(sent)
    # perf_analyzer ends with an error where these three differ.
    assert stats.compute_input.count == stats.compute_output.count == len(sent)
    assert stats.compute_infer.ns > 0
    assert stats.compute_input.ns > 0
    assert stats.compute_output.ns > 0
    stages = (stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output)
    assert stats.success.ns == sum(stage.ns for stage in stages)
    assert began_ms <= model.last_inference <= time.time_ns() // 1_000_000
    [other] = statistics(client, "two_by_two")
    assert other.inference_count == 0


def test_failed_calls_are_told_apart(client: Any) -> None:
    infer(client, 1)
    with pytest.raises(InferenceServerException):
        infer(client, 1, width=63)
    with pytest.raises(InferenceServerException):
        infer(client, MAX_BATCH_SIZE + 1)
    [model] = statistics(client, "mlp")
    stats = model.inference_stats
    assert (stats.success.count, stats.fail.count) == (1, 2)
    assert (model.inference_count, model.execution_count) == (1, 1)


def test_statistics_of_all_models_and_of_none(client: Any) -> None:
    assert sorted(model.name for model in statistics(client)) == ["mlp", "two_by_two"]
    assert [model.version for model in statistics(client, "mlp", "1")] == ["1"]
    for which in (("missing",), ("mlp", "2")):
        with pytest.raises(InferenceServerException, match="NOT_FOUND"):
            statistics(client, *which)


def test_model_config(client: Any) -> None:
    config = client.get_model_config("mlp", client_timeout=TIMEOUT_S).config
    assert (config.name, config.platform) == ("mlp", "onnxruntime_onnx")
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == MAX_BATCH_SIZE
    assert config.HasField("dynamic_batching")
    assert not config.HasField("model_transaction_policy")
    # Rows are not in the dimensions of what is batched.
    [x], [y] = config.input, config.output
    assert (x.name, x.data_type, list(x.dims)) == ("x", model_config_pb2.TYPE_FP32, [64])
    assert (y.name, y.data_type, list(y.dims)) == ("y", model_config_pb2.TYPE_FP32, [10])
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        client.get_model_config("missing", client_timeout=TIMEOUT_S)


def test_model_config_of_other_types_and_shapes(start_server: Any) -> None:
    types = {
        "identity_bytes": model_config_pb2.TYPE_STRING,
        "identity_bf16": model_config_pb2.TYPE_BF16,
        "identity_uint64": model_config_pb2.TYPE_UINT64,
    }
    server = start_server(*types, "scalar", "time_major")
    with triton.InferenceServerClient(server.address) as client:

        def config_of(name: str) -> Any:
            return client.get_model_config(name, client_timeout=TIMEOUT_S).config

        for name, data_type in types.items():
            assert [tensor.data_type for tensor in config_of(name).input] == [data_type]
        for name in ("scalar", "time_major"):
            config = config_of(name)
            metadata = client.get_model_metadata(name, client_timeout=TIMEOUT_S)
            assert config.max_batch_size == 0
            assert [list(t.dims) for t in config.input] == [list(t.shape) for t in metadata.inputs]
            assert [list(t.dims) for t in config.output] == [
                list(t.shape) for t in metadata.outputs
            ]
