"""ModelInfer with numeric tensors, held against ONNX Runtime's own Python API."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from support import infer, made_models, protos, raw_http2
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
SEED = 20261121

IDENTITIES = {name: f"identity_{name.lower()}" for name in infer.DTYPES}
ADDITIONS = {
    "FP32": onnx.TensorProto.FLOAT,
    "FP64": onnx.TensorProto.DOUBLE,
    "INT32": onnx.TensorProto.INT32,
    "INT64": onnx.TensorProto.INT64,
}


@pytest.fixture(scope="module")
def added_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("added")
    return {
        dtype: made_models.save_add(folder / f"add_{dtype.lower()}.onnx", element_type)
        for dtype, element_type in ADDITIONS.items()
    }


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any, added_models: dict[str, Path]) -> Any:
    names = ["mlp", "two_by_two", "many_inputs", "gather", "free_inner", "fixed_batch", "scalar"]
    unbatched = ["time_major", "reduce_rows", "wrong_output_shape", "identity_bf16", "drops_rows"]
    return start_shared_server(*names, *unbatched, *IDENTITIES.values(), *added_models.values())


@pytest.fixture
def ask(shared_server: Any, connect: Any) -> Any:
    """ask("mlp", {"x": x}, id="7"): the response."""
    stub = protos.unary_stub(connect(shared_server.address), "ModelInfer")

    def call(model: str, inputs: infer.Arrays, **fields: Any) -> Any:
        return stub(infer.make_request(model, inputs, **fields), timeout=TIMEOUT_S)

    yield call
    print(shared_server.log)


def values(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Any bits at all, as long as they are numbers of that type."""
    random = np.random.default_rng(SEED)
    kind = np.dtype(infer.DTYPES[dtype])
    if kind == np.bool_:
        return random.integers(0, 2, shape).astype(kind)
    if kind.kind == "f":
        return random.normal(size=shape).astype(kind)
    return np.frombuffer(random.bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape)


def assert_same_bits(actual: infer.Arrays, expected: infer.Arrays) -> None:
    assert list(actual) == list(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        assert actual[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("dtype", infer.DTYPES)
def test_infer_every_numeric_type_keeps_its_bits(
    ask: Any, test_models: Path, dtype: str, rows: int
) -> None:
    inputs = {"x": values(dtype, (rows, 3))}
    response = ask(IDENTITIES[dtype], inputs)
    assert response.outputs[0].datatype == dtype
    path = test_models / f"{IDENTITIES[dtype]}.onnx"
    assert_same_bits(infer.arrays_of(response), infer.run_reference(path, inputs))


def test_infer_bf16_keeps_its_bits(ask: Any) -> None:
    """NumPy has no such type: the bits travel as UINT16 here, under the name BF16."""
    bits = values("UINT16", (2, 3))
    response = ask("identity_bf16", {"x": bits}, datatype="BF16")
    assert response.outputs[0].datatype == "BF16"
    assert list(response.outputs[0].shape) == [2, 3]
    assert response.raw_output_contents[0] == bits.tobytes()


@pytest.mark.parametrize("dtype", ADDITIONS)
def test_infer_arithmetic_is_that_of_onnxruntime(
    ask: Any, added_models: dict[str, Path], dtype: str
) -> None:
    inputs = {"x": values(dtype, (3, 3))}
    response = ask(added_models[dtype].stem, inputs)
    assert_same_bits(infer.arrays_of(response), infer.run_reference(added_models[dtype], inputs))


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_infer_inputs_in_any_order_mean_the_same(ask: Any, test_models: Path, order: str) -> None:
    inputs = {"a": values("FP32", (3, 4)), "b": values("FP32", (3, 4)) * 7 + 1}
    response = ask("two_by_two", {name: inputs[name] for name in order})
    expected = infer.run_reference(test_models / "two_by_two.onnx", inputs)
    assert list(expected) == ["sum", "product"]
    assert_same_bits(infer.arrays_of(response), expected)


def test_infer_twenty_inputs_in_reverse_order(ask: Any, test_models: Path) -> None:
    inputs = {f"x{i}": values("FP32", (2, 2)) + i for i in reversed(range(20))}
    response = ask("many_inputs", inputs)
    assert_same_bits(
        infer.arrays_of(response), infer.run_reference(test_models / "many_inputs.onnx", inputs)
    )


@pytest.mark.parametrize("outputs", [["product"], ["product", "sum"], ["sum"]])
def test_infer_requested_outputs_come_alone_in_that_order(
    ask: Any, test_models: Path, outputs: list[str]
) -> None:
    inputs = {"a": values("FP32", (2, 4)), "b": values("FP32", (2, 4)) + 3}
    response = ask("two_by_two", inputs, outputs=outputs)
    expected = infer.run_reference(test_models / "two_by_two.onnx", inputs)
    assert_same_bits(infer.arrays_of(response), {name: expected[name] for name in outputs})


def test_infer_free_inner_dimension_takes_any_size(ask: Any, test_models: Path) -> None:
    for width in (1, 7, 100):
        inputs = {"x": values("FP32", (2, width, 2))}
        response = ask("free_inner", inputs)
        expected = infer.run_reference(test_models / "free_inner.onnx", inputs)
        assert_same_bits(infer.arrays_of(response), expected)


@pytest.mark.parametrize(
    ("model", "rows"),
    [("fixed_batch", 1), ("time_major", 6), ("reduce_rows", 6), ("wrong_output_shape", 6)],
)
def test_infer_models_that_batching_would_break_answer_right(
    ask: Any, test_models: Path, model: str, rows: int
) -> None:
    inputs = {"x": values("FP32", (rows, 4))}
    response = ask(model, inputs)
    assert_same_bits(
        infer.arrays_of(response), infer.run_reference(test_models / f"{model}.onnx", inputs)
    )


def test_infer_scalar(ask: Any, test_models: Path) -> None:
    inputs = {"x": np.array(2.5, np.float32)}
    expected = infer.run_reference(test_models / "scalar.onnx", inputs)
    assert_same_bits(infer.arrays_of(ask("scalar", inputs)), expected)


@pytest.mark.parametrize("rows", [1, 3])
def test_infer_inner_dimension_of_no_size(ask: Any, test_models: Path, rows: int) -> None:
    inputs = {"x": np.zeros((rows, 0, 2), np.float32)}
    expected = infer.run_reference(test_models / "free_inner.onnx", inputs)
    assert_same_bits(infer.arrays_of(ask("free_inner", inputs)), expected)


def test_infer_rows_without_elements_share_a_turn_with_others(
    shared_server: Any, test_models: Path
) -> None:
    xs = [np.ones((1 + i % 2, i % 3, 2), np.float32) for i in range(12)]
    requests = [infer.make_request("free_inner", {"x": x}) for x in xs]
    responses = send_in_bursts(shared_server.address, requests, connections=1)
    for x, response in zip(xs, responses, strict=True):
        expected = infer.run_reference(test_models / "free_inner.onnx", {"x": x})
        assert_same_bits(infer.arrays_of(response), expected)


def test_infer_output_that_lies_about_its_batch_is_answered_alone(
    shared_server: Any, test_models: Path
) -> None:
    """The probe took it for a batch; a row that is left out shows only when it comes."""
    xs = [np.array([i, -10, 3] if i % 5 == 4 else [i, 2], np.float32) for i in range(20)]
    requests = [infer.make_request("drops_rows", {"x": x}) for x in xs]
    responses = send_in_bursts(shared_server.address, requests, connections=1)
    for x, response in zip(xs, responses, strict=True):
        expected = infer.run_reference(test_models / "drops_rows.onnx", {"x": x})
        assert_same_bits(infer.arrays_of(response), expected)


def test_infer_integer_input_float_output(ask: Any, test_models: Path) -> None:
    inputs = {"index": np.array([9, 0, -10, 3], np.int64)}
    expected = infer.run_reference(test_models / "gather.onnx", inputs)
    assert_same_bits(infer.arrays_of(ask("gather", inputs)), expected)


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("request_id", ["", "7", "x" * 5000, "ключ"])
def test_infer_id_and_version_come_back(ask: Any, version: str, request_id: str) -> None:
    inputs = {"x": values("FP32", (1, 64))}
    response = ask("mlp", inputs, id=request_id, model_version=version)
    assert (response.model_name, response.model_version) == ("mlp", "1")
    assert response.id == request_id
    assert not response.parameters  # the batch is reported to tests that ask for it


@pytest.mark.parametrize("execution", ["inline", "pool"])
def test_infer_concurrent_clients_bits_are_those_of_the_batch_that_ran(
    start_server: Any, connect: Any, test_models: Path, execution: str
) -> None:
    """Rows of others do not change a row; only the size of the batch and the place in it may."""
    server = start_server(
        "mlp", flags=["--report-batch-size", "--execution", execution, "--compute-threads", "1"]
    )
    random = np.random.default_rng(SEED)
    rows = [random.normal(size=(1 + i % 3, 64)).astype(np.float32) for i in range(240)]
    requests = [infer.make_request("mlp", {"x": x}) for x in rows]
    stubs = [protos.unary_stub(connect(server.address), "ModelInfer") for _ in range(4)]
    by_grpcio = [
        stubs[i % 4].future(request, timeout=TIMEOUT_S) for i, request in enumerate(requests)
    ]
    responses = send_in_bursts(server.address, requests)
    responses += [future.result(timeout=2 * TIMEOUT_S) for future in by_grpcio]
    reference = functools.partial(infer.run_reference, test_models / "mlp.onnx")
    others = random.normal(size=(128, 64)).astype(np.float32)
    batch_sizes = set()
    for x, response in zip(rows + rows, responses, strict=True):
        size = response.parameters["penstock_batch_size"].int64_param
        first = response.parameters["penstock_batch_row"].int64_param
        assert 0 <= first < first + len(x) <= size
        batch_sizes.add(size)
        y = infer.arrays_of(response)["y"]
        batch = np.concatenate([others[:first], x, others[first + len(x) : size]])
        expected = reference({"x": batch})["y"][first : first + len(x)]
        assert y.tobytes() == expected.tobytes(), f"batch of {size}, row {first}"
        alone = reference({"x": x})["y"]
        assert np.abs(y - alone).max() <= 1e-5 * np.abs(alone).max()
    # Sizes above 3 are requests that ran together; without any, nothing was tested here.
    assert max(batch_sizes) > 3, batch_sizes


def send_in_bursts(address: str, requests: Sequence[Any], connections: int = 3) -> list[Any]:
    """Every connection sends its share in one write, so that one read brings many requests."""
    with ExitStack() as stack:
        raws = [stack.enter_context(RawHttp2(address)) for _ in range(connections)]
        sent = []
        for i, raw in enumerate(raws):
            frames = []
            for request in requests[i::connections]:
                headers = raw.headers_frame(raw_http2.INFER)
                message = raw_http2.message_bytes(request.SerializeToString())
                frames += [headers, raw.data_frame(headers.stream_id, message)]
            raw.send(*frames)
            sent.append([frame.stream_id for frame in frames[::2]])
        responses: list[Any] = [None] * len(requests)
        for i, raw in enumerate(raws):
            for position, stream in enumerate(sent[i]):
                answer = raw.answer(stream)
                assert answer.status == 0, answer
                responses[i + position * connections] = infer.parse_response(answer.data)
        return responses


def test_infer_many_rows_agree_with_each_row_alone(ask: Any) -> None:
    x = values("FP32", (16, 64))
    together = infer.arrays_of(ask("mlp", {"x": x}))["y"]
    alone = np.concatenate(
        [infer.arrays_of(ask("mlp", {"x": x[i : i + 1]}))["y"] for i in range(len(x))]
    )
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()


def test_infer_more_rows_than_any_batch_run_alone(ask: Any, test_models: Path) -> None:
    """Only a max_batch_size that somebody configured refuses; what warm-up chose does not."""
    x = values("FP32", (1000, 64))
    response = ask("mlp", {"x": x})
    expected = infer.run_reference(test_models / "mlp.onnx", {"x": x})
    assert_same_bits(infer.arrays_of(response), expected)
