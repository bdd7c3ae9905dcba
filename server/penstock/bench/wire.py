"""The five protobuf messages that a benchmark needs, by hand. PURE.

Written and read field by field, so that `penstock bench` needs no protobuf package. The numbers are
those of proto/open_inference_grpc.proto; unknown fields are skipped, missing ones are empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock._protobuf import (
    VARINT,
    WireError,
    as_bytes,
    as_signed,
    as_text,
    last_text,
    put_bytes,
    put_text,
    put_varint,
    read_fields,
    read_packed,
)

__all__ = [
    "ModelMetadata",
    "ServerMetadata",
    "Tensor",
    "TensorMetadata",
    "WireError",
    "answering_model",
    "decode_model_metadata",
    "decode_server_metadata",
    "decode_tensor_metadata",
    "encode_infer_request",
    "encode_infer_response",
    "encode_model_metadata_request",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Elements as they travel in raw contents: little-endian, row-major."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorMetadata:
    name: str
    datatype: str
    shape: tuple[int, ...]  # -1: a free dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    name: str
    version: str


def encode_model_metadata_request(name: str, version: str) -> bytes:
    return put_text(1, name) + put_text(2, version)


def encode_infer_request(
    *,
    model: str,
    version: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[str] = (),
    parameters: Mapping[str, int] | None = None,
) -> bytes:
    """The model's name comes first, as servers like it. Parameters are sent as uint64_param."""
    pieces = [put_text(1, model), put_text(2, version)]
    for key, value in (parameters or {}).items():
        choice = put_varint(5 << 3 | VARINT) + put_varint(value)
        pieces.append(put_bytes(4, put_text(1, key) + put_bytes(2, choice)))
    pieces += [put_bytes(5, _tensor(tensor)) for tensor in inputs]
    pieces += [put_bytes(6, put_text(1, name)) for name in outputs]
    pieces += [put_bytes(7, tensor.data) for tensor in inputs]
    return b"".join(pieces)


def encode_infer_response(outputs: Sequence[Tensor]) -> bytes:
    """What an answer is compared with; only its outputs count."""
    described = [put_bytes(5, _tensor(tensor)) for tensor in outputs]
    return b"".join(described + [put_bytes(6, tensor.data) for tensor in outputs])


def answering_model(response: bytes) -> bytes:
    """The beginning of a ModelInferResponse from the same model and version as this one."""
    fields = list(read_fields(response))
    return put_text(1, last_text(fields, 1)) + put_text(2, last_text(fields, 2))


def decode_model_metadata(message: bytes) -> ModelMetadata:
    fields = list(read_fields(message))
    return ModelMetadata(
        name=last_text(fields, 1),
        versions=tuple(as_text(value) for number, value in fields if number == 2),
        platform=last_text(fields, 3),
        inputs=tuple(decode_tensor_metadata(value) for number, value in fields if number == 4),
        outputs=tuple(decode_tensor_metadata(value) for number, value in fields if number == 5),
    )


def decode_server_metadata(message: bytes) -> ServerMetadata:
    fields = list(read_fields(message))
    return ServerMetadata(name=last_text(fields, 1), version=last_text(fields, 2))


def _tensor(tensor: Tensor) -> bytes:
    shape = b"".join(put_varint(dimension) for dimension in tensor.shape)
    return (
        put_text(1, tensor.name) + put_text(2, tensor.datatype) + put_bytes(3, shape, always=False)
    )


def decode_tensor_metadata(value: int | bytes) -> TensorMetadata:
    fields = list(read_fields(as_bytes(value)))
    shape: list[int] = []
    for number, dimension in fields:
        if number == 3 and isinstance(dimension, int):  # not packed, as old writers send it
            shape.append(as_signed(dimension))
        elif number == 3:
            shape += read_packed(as_bytes(dimension))
    return TensorMetadata(
        name=last_text(fields, 1), datatype=last_text(fields, 2), shape=tuple(shape)
    )
