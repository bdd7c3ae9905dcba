"""Arrays to the bytes of a request and back from those of a response, without a server."""

import contextlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from penstock_client import InputError, ResponseError
from penstock_client.wire import InferResult, decode_response, dtype_of, encode_request
from support import infer, protos

BFLOAT16 = ml_dtypes.bfloat16


def request_of(inputs: dict[str, Any], **options: Any) -> Any:
    data = encode_request("m", inputs, **options)
    return protos.message_class("inference.ModelInferRequest").FromString(data)


def answered(datatype: str, shape: tuple[int, ...], raw: bytes) -> InferResult:
    response = protos.message_class("inference.ModelInferResponse")()
    response.outputs.add(name="y", datatype=datatype, shape=shape)
    response.raw_output_contents.append(raw)
    return decode_response(response.SerializeToString())


def answered_typed(datatype: str, shape: tuple[int, ...], **contents: Any) -> InferResult:
    response = protos.message_class("inference.ModelInferResponse")()
    response.outputs.add(name="y", datatype=datatype, shape=shape, contents=contents)
    return decode_response(response.SerializeToString())


STRINGS = [b"a\0b", b"", b"\xff\xfe", "ключ".encode(), b"x" * 300, b"end"]


@pytest.mark.parametrize(
    ("array", "elements"),
    [
        (np.array(STRINGS, object).reshape(2, 3), STRINGS),
        (np.array(STRINGS, object).reshape(2, 3).T, [STRINGS[i] for i in (0, 3, 1, 4, 2, 5)]),
        (np.array(["a\0", "ключ"], object), [b"a\0", "ключ".encode()]),
        (np.array([b"ab", b"", b"a\0b"]), [b"ab", b"", b"a\0b"]),
        (np.array(["ab", "", "ключ"]), [b"ab", b"", "ключ".encode()]),
        (np.array(["ab", "ключ"], ">U4"), [b"ab", "ключ".encode()]),
        (np.array("scalar"), [b"scalar"]),
        (np.array(b"scalar", object), [b"scalar"]),
        (np.empty((0, 3), object), []),
    ],
    ids=["bytes", "strided", "str", "S", "U", "big-endian U", "scalar U", "scalar", "empty"],
)
def test_strings_are_bytes_in_row_major_order(array: NDArray[Any], elements: list[bytes]) -> None:
    request = request_of({"x": array})
    assert request.inputs[0].datatype == "BYTES"
    assert tuple(request.inputs[0].shape) == array.shape
    assert infer.strings_of(request.raw_input_contents[0]) == elements
    result = answered("BYTES", array.shape, request.raw_input_contents[0])["y"]
    assert result.shape == array.shape
    assert result.reshape(-1).tolist() == elements
    with pytest.raises(ValueError, match="read-only"):
        result[...] = b""


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has it")
def test_strings_of_numpy_2_are_sent() -> None:
    array = np.array(["a", "ключ" * 20], np.dtypes.StringDType())
    raw = request_of({"x": array}).raw_input_contents[0]
    assert infer.strings_of(raw) == [b"a", ("ключ" * 20).encode()]


def test_an_answer_can_be_sent_again() -> None:
    """Its arrays are read-only."""
    raw = request_of({"x": np.array(STRINGS, object)}).raw_input_contents[0]
    again = request_of({"x": answered("BYTES", (6,), raw)["y"]})
    assert again.raw_input_contents[0] == raw


def all_bfloat16() -> NDArray[Any]:
    return np.arange(2**16, dtype=np.uint16).view(BFLOAT16)


def test_bfloat16_arrays_are_sent_as_they_are() -> None:
    array = all_bfloat16()
    request = request_of({"x": array.reshape(2, -1), "t": array.reshape(2, -1).T})
    assert [each.datatype for each in request.inputs] == ["BF16", "BF16"]
    assert request.raw_input_contents[0] == array.tobytes()
    assert request.raw_input_contents[1] == array.reshape(2, -1).T.tobytes()


def test_bf16_answers_are_exact_float32() -> None:
    array = all_bfloat16()
    result = answered("BF16", (2**16,), array.tobytes())
    assert result.datatypes == {"y": "BF16"}
    assert result["y"].dtype == np.float32
    np.testing.assert_array_equal(result["y"], array.astype(np.float32))
    # Bit for bit, so that NaNs are compared too.
    assert (result["y"].view(np.uint32) >> 16).tolist() == list(range(2**16))
    with pytest.raises(ValueError, match="read-only"):
        result["y"][0] = 1


@given(st.lists(st.floats(width=32), min_size=1), st.sampled_from(["<f4", ">f4"]))
def test_float32_sent_as_bf16_is_rounded_as_ml_dtypes_rounds(
    values: list[float], dtype: str
) -> None:
    array = np.array(values, dtype)
    request = request_of({"x": array}, datatypes={"x": "BF16"})
    assert request.inputs[0].datatype == "BF16"
    sent = np.frombuffer(request.raw_input_contents[0], BFLOAT16)
    np.testing.assert_array_equal(
        sent.astype(np.float32), array.astype("<f4").astype(BFLOAT16).astype(np.float32)
    )


def test_float32_nan_sent_as_bf16_stays_nan() -> None:
    bits = np.array([0x7F800001, 0xFF80FFFF, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    request = request_of({"x": bits.view(np.float32)}, datatypes={"x": "BF16"})
    assert np.isnan(np.frombuffer(request.raw_input_contents[0], BFLOAT16)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"datatypes": {"x": "FP16"}}, "input 'x': an array of dtype float32 cannot be sent as"),
        ({"datatypes": {"x": "BF17"}}, "input 'x': an array of dtype float32 cannot be sent as"),
        ({"datatypes": {"z": "BF16"}}, "datatypes: there is no input 'z'"),
        ({"parameters": {"a": [1]}}, r"parameter 'a': a bool, .* not \[1\]"),
        ({"parameters": {"a": 2**64}}, "parameter 'a': a bool, an int of 64 bits"),
        ({"parameters": {"a": -(2**63) - 1}}, "parameter 'a': a bool, an int of 64 bits"),
        ({"priority": -1}, "priority is -1"),
        ({"priority": 2**64}, "priority is 18446744073709551616"),
        ({"priority": 1, "parameters": {"priority": 2}}, "priority is given twice"),
    ],
)
def test_arguments_that_cannot_be_sent_are_named(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode_request("m", {"x": np.ones(1, np.float32)}, **options)


def test_datatype_of_the_array_itself_may_be_said() -> None:
    x = np.ones(1, np.float32)
    assert request_of({"x": x}, datatypes={"x": "FP32"}) == request_of({"x": x})


def test_parameters_keep_their_kinds_and_values() -> None:
    parameters = {"b": True, "i": -(2**63), "u": 2**64 - 1, "f": 0.5, "s": "a"}
    request = request_of({}, priority=3, parameters=parameters)
    kinds = {n: each.WhichOneof("parameter_choice") for n, each in request.parameters.items()}
    assert kinds == {
        "priority": "uint64_param",
        "b": "bool_param",
        "i": "int64_param",
        "u": "uint64_param",
        "f": "double_param",
        "s": "string_param",
    }
    response = protos.message_class("inference.ModelInferResponse")()
    for name, value in request.parameters.items():
        response.parameters[name].CopyFrom(value)
    response.parameters["without a value"].SetInParent()
    assert decode_response(response.SerializeToString()).parameters == {**parameters, "priority": 3}


def test_numbers_of_an_answer_are_views_of_it() -> None:
    raw = np.arange(6, dtype="<i4").tobytes()
    y = answered("INT32", (2, 3), raw)["y"]
    assert y.tolist() == [[0, 1, 2], [3, 4, 5]]
    owner: Any = y
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    assert isinstance(owner.base, bytes)


@pytest.mark.parametrize(
    ("datatype", "contents", "dtype"),
    [
        ("BOOL", {"bool_contents": [True, False]}, "?"),
        ("INT8", {"int_contents": [-128, 127]}, "i1"),
        ("INT32", {"int_contents": [-(2**31), 1]}, "i4"),
        ("INT64", {"int64_contents": [-(2**63), 1]}, "i8"),
        ("UINT16", {"uint_contents": [0, 2**16 - 1]}, "u2"),
        ("UINT64", {"uint64_contents": [0, 2**64 - 1]}, "u8"),
        ("FP32", {"fp32_contents": [0.5, -1.5]}, "f4"),
        ("FP64", {"fp64_contents": [0.1, -1.5]}, "f8"),
        ("BYTES", {"bytes_contents": [b"a\0", b""]}, object),
    ],
)
def test_typed_contents_of_other_servers_are_read(
    datatype: str, contents: dict[str, list[Any]], dtype: Any
) -> None:
    y = answered_typed(datatype, (2, 1), **contents)["y"]
    assert y.dtype == np.dtype(dtype)
    assert dtype_of(datatype) == y.dtype
    assert y.tolist() == [[value] for (values,) in [contents.values()] for value in values]


@pytest.mark.parametrize(
    ("datatype", "contents", "message"),
    [
        ("FP32", {"fp32_contents": [1.0]}, r"1 fp32_contents, FP32 \[2\] has 2"),
        ("FP32", {"fp64_contents": [1.0, 2.0]}, r"0 fp32_contents, FP32 \[2\] has 2"),
        ("UINT8", {"uint_contents": [256, 1]}, "uint_contents beyond UINT8"),
        ("FP16", {"fp32_contents": [1.0, 2.0]}, "'FP16' cannot come as typed contents"),
    ],
)
def test_typed_contents_that_do_not_fit_are_refused(
    datatype: str, contents: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(ResponseError, match=f"output 'y': {message}"):
        answered_typed(datatype, (2,), **contents)


def test_output_that_comes_twice_is_refused() -> None:
    response = protos.message_class("inference.ModelInferResponse")()
    for _ in range(2):
        response.outputs.add(name="y", datatype="BYTES", shape=[0])
        response.raw_output_contents.append(b"")
    with pytest.raises(ResponseError, match="output 'y' comes twice"):
        decode_response(response.SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ResponseError):
        decode_response(data)
