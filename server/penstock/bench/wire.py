"""The five protobuf messages that a benchmark needs, by hand. PURE.

Written and read field by field, so that `penstock bench` needs no protobuf package. The numbers are
those of proto/open_inference_grpc.proto; unknown fields are skipped, missing ones are empty.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "ModelMetadata",
    "ServerMetadata",
    "Tensor",
    "TensorMetadata",
    "WireError",
    "answering_model",
    "decode_model_metadata",
    "decode_server_metadata",
    "encode_infer_request",
    "encode_infer_response",
    "encode_model_metadata_request",
]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10


class WireError(ValueError):
    """The bytes are no protobuf message."""


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
    return _text(1, name) + _text(2, version)


def encode_infer_request(
    *,
    model: str,
    version: str,
    inputs: Sequence[Tensor],
    outputs: Sequence[str] = (),
    parameters: Mapping[str, int] | None = None,
) -> bytes:
    """The model's name comes first, as servers like it. Parameters are sent as uint64_param."""
    pieces = [_text(1, model), _text(2, version)]
    for key, value in (parameters or {}).items():
        choice = _varint(5 << 3 | _VARINT) + _varint(value)
        pieces.append(_bytes(4, _text(1, key) + _bytes(2, choice)))
    pieces += [_bytes(5, _tensor(tensor)) for tensor in inputs]
    pieces += [_bytes(6, _text(1, name)) for name in outputs]
    pieces += [_bytes(7, tensor.data) for tensor in inputs]
    return b"".join(pieces)


def encode_infer_response(outputs: Sequence[Tensor]) -> bytes:
    """What an answer is compared with; only its outputs count."""
    described = [_bytes(5, _tensor(tensor)) for tensor in outputs]
    return b"".join(described + [_bytes(6, tensor.data) for tensor in outputs])


def answering_model(response: bytes) -> bytes:
    """The beginning of a ModelInferResponse from the same model and version as this one."""
    fields = list(_fields(response))
    return _text(1, _last_text(fields, 1)) + _text(2, _last_text(fields, 2))


def decode_model_metadata(message: bytes) -> ModelMetadata:
    fields = list(_fields(message))
    return ModelMetadata(
        name=_last_text(fields, 1),
        versions=tuple(_as_text(value) for number, value in fields if number == 2),
        platform=_last_text(fields, 3),
        inputs=tuple(_tensor_metadata(value) for number, value in fields if number == 4),
        outputs=tuple(_tensor_metadata(value) for number, value in fields if number == 5),
    )


def decode_server_metadata(message: bytes) -> ServerMetadata:
    fields = list(_fields(message))
    return ServerMetadata(name=_last_text(fields, 1), version=_last_text(fields, 2))


def _tensor(tensor: Tensor) -> bytes:
    shape = b"".join(_varint(dimension) for dimension in tensor.shape)
    return _text(1, tensor.name) + _text(2, tensor.datatype) + _bytes(3, shape, always=False)


def _tensor_metadata(value: int | bytes) -> TensorMetadata:
    fields = list(_fields(_as_bytes(value)))
    shape: list[int] = []
    for number, dimension in fields:
        if number == 3 and isinstance(dimension, int):  # not packed, as old writers send it
            shape.append(_signed(dimension))
        elif number == 3:
            shape += _packed(_as_bytes(dimension))
    return TensorMetadata(
        name=_last_text(fields, 1), datatype=_last_text(fields, 2), shape=tuple(shape)
    )


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH:
            size, at = _read_varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"wire type {kind} in field {number}")
        if at + size > len(message):
            raise WireError(f"field {number} ends behind the message")
        yield number, message[at : at + size]
        at += size


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield _signed(value)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(data[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + position + 1
    raise WireError("a number does not end")


def _signed(value: int) -> int:
    return int(struct.unpack("<q", struct.pack("<Q", value))[0])


def _varint(value: int) -> bytes:
    rest = value & 0xFFFF_FFFF_FFFF_FFFF  # negative numbers as two's complement
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _bytes(number: int, data: bytes, *, always: bool = True) -> bytes:
    if not data and not always:
        return b""
    return _varint(number << 3 | _LENGTH) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode(), always=False)


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value


def _as_text(value: int | bytes) -> str:
    try:
        return _as_bytes(value).decode()
    except UnicodeDecodeError:
        raise WireError("text that is not UTF-8") from None


def _last_text(fields: Sequence[tuple[int, int | bytes]], number: int) -> str:
    values = [value for found, value in fields if found == number]
    return _as_text(values[-1]) if values else ""
