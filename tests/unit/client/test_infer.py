"""Arrays through a real connection to a server that sends them back."""

from typing import Any

import numpy as np
import penstock_client
import pytest
from penstock_client import Client, InputError, ResponseError
from support import protos
from support.fake_inference_server import FakeInferenceServer

DATATYPES = {
    "?": "BOOL",
    "u1": "UINT8",
    "u2": "UINT16",
    "u4": "UINT32",
    "u8": "UINT64",
    "i1": "INT8",
    "i2": "INT16",
    "i4": "INT32",
    "i8": "INT64",
    "f2": "FP16",
    "f4": "FP32",
    "f8": "FP64",
}


@pytest.mark.parametrize(("dtype", "datatype"), DATATYPES.items())
def test_infer_every_dtype_comes_back_equal(
    client: Client, fake_server: FakeInferenceServer, dtype: str, datatype: str
) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    result = client.infer("m", {"x": array})
    assert result["x"].dtype == array.dtype
    np.testing.assert_array_equal(result["x"], array)
    request = fake_server.requests[0][1]
    assert request.inputs[0].datatype == datatype
    assert list(request.inputs[0].shape) == [2, 3, 4]
    assert list(request.raw_input_contents) == [array.tobytes()]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(12, dtype=np.float32)[::-2],
        np.arange(12, dtype=">f4"),
        np.array(2.5, np.float32),
        np.array(7, np.int64),
        np.zeros((0, 4), np.float32),
        np.zeros((4, 0), np.int16),
        np.arange(3, dtype=np.longlong),
        np.broadcast_to(np.float32(2), (3, 2)),
    ],
    ids=[
        "transposed",
        "strided",
        "big-endian",
        "scalar",
        "scalar-int",
        "no-rows",
        "no-columns",
        "longlong",
        "broadcast",
    ],
)
def test_infer_any_layout_keeps_shape_and_values(client: Client, array: Any) -> None:
    result = client.infer("m", {"x": array})["x"]
    assert result.shape == array.shape
    np.testing.assert_array_equal(result, array)


def test_infer_several_tensors_keep_their_order(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    arrays = {name: np.full((2, len(name)), len(name), np.int32) for name in ("c", "aaa", "bb")}
    result = client.infer("m", arrays)
    assert list(result) == ["c", "aaa", "bb"]
    assert len(result) == 3
    for name, array in arrays.items():
        np.testing.assert_array_equal(result[name], array)


def test_infer_version_id_and_outputs_are_sent(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    x = np.zeros(1, np.float32)
    result = client.infer("m", {"x": x, "y": x}, version="3", outputs=["y"], request_id="request 1")
    assert (result.model, result.version, result.request_id) == ("m", "3", "request 1")
    assert list(result) == ["y"]
    assert "y: float32[1]" in repr(result)


def test_infer_larger_than_grpc_default_limit_passes(client: Client) -> None:
    array = np.arange(3_000_000, dtype=np.float32)  # 12 MB
    np.testing.assert_array_equal(client.infer("m", {"x": array})["x"], array)


def test_infer_bare_array_asks_for_the_name_once(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    array = np.ones((2, 4), np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(client.infer("m", array)["x"], array)
    methods = [method for method, _ in fake_server.requests]
    assert methods == ["ModelMetadata", "ModelInfer", "ModelInfer", "ModelInfer"]


def test_infer_bare_array_for_two_inputs_names_them(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    def two_inputs(request: Any, context: Any) -> Any:
        response = protos.message_class("inference.ModelMetadataResponse")()
        response.inputs.add(name="ids")
        response.inputs.add(name="mask")
        return response

    fake_server.behaviours["ModelMetadata"] = two_inputs
    with pytest.raises(InputError, match=r"model 'm' has 2 inputs \('ids', 'mask'\)"):
        client.infer("m", np.ones(1, np.float32))


def test_infer_columns_become_what_the_model_says_it_takes(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    fake_server.behaviours["ModelMetadata"] = metadata(
        count=("INT32", [-1, 1]), text=("BYTES", [-1]), half=("BF16", [-1, 2])
    )
    rows = [{"count": 1, "text": "a", "half": [1, 2.5]}, {"count": 2, "half": [3, -4]}]
    for given in (rows, {name: [row.get(name) for row in rows] for name in rows[0]}):
        result = client.infer("m", given)
        assert result.datatypes == {"count": "INT32", "text": "BYTES", "half": "BF16"}
        assert result["count"].tolist() == [[1], [2]]
        assert result["text"].tolist() == [b"a", b""]
        assert result["half"].tolist() == [[1, 2.5], [3, -4]]
    methods = [method for method, _ in fake_server.requests]
    assert methods == ["ModelMetadata", "ModelInfer", "ModelInfer"]


def test_infer_arrays_beside_columns_are_sent_as_they_are(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    fake_server.behaviours["ModelMetadata"] = metadata(a=("FP32", [-1, 1]), b=("FP32", [-1, 1]))
    result = client.infer("m", {"b": np.arange(2), "a": range(2)})
    assert list(result) == ["b", "a"]
    assert result.datatypes == {"b": "INT64", "a": "FP32"}
    assert (result["b"].shape, result["a"].shape) == ((2,), (2, 1))


def test_infer_columns_ask_again_where_the_model_has_changed(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    fake_server.behaviours["ModelMetadata"] = metadata(old=("FP32", [-1]))
    client.infer("m", {"old": [1]})
    with pytest.raises(InputError, match="column 'new': the model has no such input; it has 'old'"):
        client.infer("m", {"new": [1]})
    fake_server.behaviours["ModelMetadata"] = metadata(new=("INT8", [-1]))
    assert client.infer("m", {"new": [1]}).datatypes == {"new": "INT8"}
    methods = [method for method, _ in fake_server.requests]
    assert methods.count("ModelMetadata") == 3


def test_infer_columns_that_do_not_fit_are_never_sent(
    client: Client, fake_server: FakeInferenceServer
) -> None:
    fake_server.behaviours["ModelMetadata"] = metadata(x=("INT8", [-1]))
    with pytest.raises(InputError, match="input 'x', row 1 is missing, for which INT8"):
        client.infer("m", [{"x": 1}, {"x": None}])
    assert "ModelInfer" not in [method for method, _ in fake_server.requests]


def metadata(**inputs: tuple[str, list[int]]) -> Any:
    """The behaviour of a server whose model takes these."""

    def answer(request: Any, context: Any) -> Any:
        response = protos.message_class("inference.ModelMetadataResponse")()
        for name, (datatype, shape) in inputs.items():
            response.inputs.add(name=name, datatype=datatype, shape=shape)
        return response

    return answer


def test_result_arrays_are_read_only(client: Client) -> None:
    result = client.infer("m", {"x": np.ones(3, np.float32)})
    with pytest.raises(ValueError, match="read-only"):
        result["x"][0] = 2


def test_result_unknown_output_names_the_known(client: Client) -> None:
    result = client.infer("m", {"x": np.ones(3, np.float32)})
    with pytest.raises(KeyError, match="no output 'y' in the response; it has 'x'"):
        result["y"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1j]), "input 'x': dtype complex128 has no counterpart"),
        (np.array([b"a", 1], object), "input 'x': element 1 is int, bytes or str are needed"),
        (np.array(["a", "\ud800"]), "input 'x': element 1 has no UTF-8"),
        (np.array(["2026-11-21"], "M8[D]"), r"input 'x': dtype datetime64\[D\] has no counterpart"),
    ],
)
def test_infer_unsendable_input_is_refused_before_sending(
    client: Client, fake_server: FakeInferenceServer, value: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        client.infer("m", {"x": value})
    assert fake_server.requests == []


def test_infer_outputs_as_string_is_refused(client: Client) -> None:
    with pytest.raises(InputError, match="not the string 'probabilities'"):
        client.infer("m", {"x": np.ones(1, np.float32)}, outputs="probabilities")


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "message"),
    [
        ("FP32", [2], [b"12345678", b""], "1 outputs with 2 raw_output_contents"),
        ("FP32", [3], [b"12345678"], r"output 'y': 8 bytes, FP32 \[3\] has 12"),
        ("FP32", [-1], [b"12345678"], r"output 'y': shape \[-1\] has a negative dimension"),
        ("FP32", [2**62, 4], [b"12345678"], "output 'y': 8 bytes, FP32"),
        ("FP32", [1] * 65, [b"1234"], "output 'y': "),  # more dimensions than NumPy has
        ("FP33", [1], [b"1234"], "output 'y': datatype 'FP33' is unknown"),
        ("BF16", [1], [b"1"], r"output 'y': 1 bytes, BF16 \[1\] has 2"),
        ("BYTES", [1], [b"\2\0\0\0a"], "output 'y': element 0 of 1 says 2 bytes, 1 are left"),
        ("BYTES", [2**40], [b"\0\0\0\0"], "output 'y': 4 bytes cannot hold 1099511627776 elements"),
    ],
)
def test_infer_broken_answer_is_a_response_error(
    client: Client,
    fake_server: FakeInferenceServer,
    datatype: str,
    shape: list[int],
    raw: list[bytes],
    message: str,
) -> None:
    def broken(request: Any, context: Any) -> Any:
        response = protos.message_class("inference.ModelInferResponse")()
        response.outputs.add(name="y", datatype=datatype, shape=shape)
        response.raw_output_contents.extend(raw)
        return response

    fake_server.behaviours["ModelInfer"] = broken
    with pytest.raises(ResponseError, match=message):
        client.infer("m", {"x": np.ones(1, np.float32)})


def test_package_exports_exist_and_are_sorted() -> None:
    assert penstock_client.__all__ == sorted(penstock_client.__all__)
    assert all(hasattr(penstock_client, name) for name in penstock_client.__all__)
