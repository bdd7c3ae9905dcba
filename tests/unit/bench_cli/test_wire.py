"""penstock.bench.wire against protobuf's own messages."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.bench.wire import (
    Tensor,
    TensorMetadata,
    WireError,
    answering_model,
    decode_model_metadata,
    decode_server_metadata,
    encode_infer_request,
    encode_infer_response,
    encode_model_metadata_request,
)
from support import protos

NAMES = st.text(max_size=20)
DIMENSIONS = st.lists(st.integers(min_value=0, max_value=2**62), max_size=5)
TENSORS = st.builds(
    lambda name, datatype, shape, data: Tensor(
        name=name, datatype=datatype, shape=tuple(shape), data=data
    ),
    NAMES,
    st.sampled_from(["FP32", "BYTES"]),
    DIMENSIONS,
    st.binary(max_size=300),
)


def message(name: str, /, **fields: Any) -> Any:
    return protos.message_class(f"inference.{name}")(**fields)


@given(NAMES, NAMES, st.lists(TENSORS, max_size=4), st.lists(NAMES, max_size=3))
def test_infer_request_any_is_what_protobuf_reads(
    model: str, version: str, inputs: list[Tensor], outputs: list[str]
) -> None:
    encoded = encode_infer_request(
        model=model, version=version, inputs=inputs, outputs=outputs, parameters={"priority": 300}
    )
    expected = message("ModelInferRequest", model_name=model, model_version=version)
    expected.parameters["priority"].uint64_param = 300
    for tensor in inputs:
        expected.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        expected.raw_input_contents.append(tensor.data)
    for name in outputs:
        expected.outputs.add(name=name)
    assert protos.message_class("inference.ModelInferRequest").FromString(encoded) == expected


def test_infer_request_is_what_tritonclient_reads() -> None:
    from tritonclient.grpc import service_pb2

    tensor = Tensor(name="x", datatype="FP32", shape=(1, 1), data=b"\0\0\0\0")
    encoded = encode_infer_request(
        model="m", version="2", inputs=[tensor], parameters={"priority": 1}
    )
    read = service_pb2.ModelInferRequest.FromString(encoded)
    assert (read.model_name, read.model_version) == ("m", "2")
    assert read.parameters["priority"].uint64_param == 1
    assert list(read.inputs[0].shape) == [1, 1]
    assert list(read.raw_input_contents) == [tensor.data]


def test_infer_request_begins_with_the_model_name() -> None:
    assert encode_infer_request(model="mlp", version="", inputs=[]) == b"\x0a\x03mlp"


@given(st.lists(TENSORS, max_size=4))
def test_infer_response_any_is_what_protobuf_reads(outputs: list[Tensor]) -> None:
    expected = message("ModelInferResponse")
    for tensor in outputs:
        expected.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        expected.raw_output_contents.append(tensor.data)
    encoded = encode_infer_response(outputs)
    assert protos.message_class("inference.ModelInferResponse").FromString(encoded) == expected


@given(NAMES, NAMES)
def test_metadata_request_any_is_what_protobuf_writes(name: str, version: str) -> None:
    expected = message("ModelMetadataRequest", name=name, version=version)
    assert encode_model_metadata_request(name, version) == expected.SerializeToString()


def test_model_metadata_is_read_with_negative_dimensions() -> None:
    written = message("ModelMetadataResponse", name="m", versions=["1", "2"], platform="p")
    written.inputs.add(name="x", datatype="FP32", shape=[-1, 64])
    written.outputs.add(name="y", datatype="INT64", shape=[-1])
    read = decode_model_metadata(written.SerializeToString())
    assert (read.name, read.versions, read.platform) == ("m", ("1", "2"), "p")
    assert read.inputs == (TensorMetadata(name="x", datatype="FP32", shape=(-1, 64)),)
    assert read.outputs == (TensorMetadata(name="y", datatype="INT64", shape=(-1,)),)


def test_model_metadata_with_unpacked_shape_and_unknown_fields_is_read() -> None:
    # Old writers send one varint for each dimension; other servers use field 6.
    tensor = b"\x0a\x01x\x18\x02\x18\x03"
    encoded = b"\x22" + bytes([len(tensor)]) + tensor + b"\x32\x02\x0a\x00" + b"\x3d\0\0\0\0"
    assert decode_model_metadata(encoded).inputs[0].shape == (2, 3)


def test_model_metadata_empty_has_nothing() -> None:
    read = decode_model_metadata(b"")
    assert (read.name, read.inputs, read.outputs) == ("", (), ())


def test_answering_model_is_the_beginning_of_such_an_answer() -> None:
    written = message("ModelInferResponse", model_name="m", model_version="3", id="7")
    head = answering_model(written.SerializeToString())
    assert (
        head == message("ModelInferResponse", model_name="m", model_version="3").SerializeToString()
    )


def test_server_metadata_is_read() -> None:
    written = message("ServerMetadataResponse", name="triton", version="2.5", extensions=["a"])
    read = decode_server_metadata(written.SerializeToString())
    assert (read.name, read.version) == ("triton", "2.5")


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05ab", b"\xff" * 12, b"\x0b", b"\x0a\x01\xff", b"\x08\x01"]
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_model_metadata(data)


@given(st.binary(max_size=64))
def test_garbage_any_is_refused_or_read(data: bytes) -> None:
    # Anything else that is raised fails the test.
    with contextlib.suppress(WireError):
        decode_model_metadata(data)
