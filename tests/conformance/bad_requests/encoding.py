"""ModelInferRequest by hand, byte by byte: what no client library would let through. Field numbers
are those of proto/open_inference_grpc.proto."""

from __future__ import annotations

import struct
from collections.abc import Iterable

# Every datatype: bytes of an element, and its field of InferTensorContents (0: raw only).
SIZES = {
    "BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
    "INT32": 4, "INT64": 8, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8,
}  # fmt: skip
CONTENTS_FIELDS = {
    "BOOL": 1, "INT8": 2, "INT16": 2, "INT32": 2, "INT64": 3, "UINT8": 4, "UINT16": 4,
    "UINT32": 4, "UINT64": 5, "FP32": 6, "FP64": 7, "BYTES": 8,
}  # fmt: skip


def varint(value: int) -> bytes:
    value %= 1 << 64
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(value)


def packed(values: Iterable[int]) -> bytes:
    return b"".join(map(varint, values))


def parameter(name: bytes, kind: int = 0, value: bytes | int | float = 0) -> bytes:
    """A map entry; the kind is the field of InferParameter, 0 for none."""
    return field(1, name) + field(2, field(kind, value) if kind else b"")


def tensor(
    name: bytes = b"x",
    datatype: str | bytes = "FP32",
    shape: Iterable[int] = (2, 3),
    *,
    contents: bytes | None = None,
    parameters: Iterable[bytes] = (),
) -> bytes:
    """An InferInputTensor."""
    encoded = field(1, name)
    encoded += field(2, datatype.encode() if isinstance(datatype, str) else datatype)
    encoded += field(3, packed(shape))
    encoded += b"".join(field(4, entry) for entry in parameters)
    return encoded if contents is None else encoded + field(5, contents)


def output(name: bytes, parameters: Iterable[bytes] = ()) -> bytes:
    """An InferRequestedOutputTensor."""
    return field(1, name) + b"".join(field(2, entry) for entry in parameters)


def request(
    model: bytes,
    inputs: Iterable[bytes] = (),
    raw: Iterable[bytes] = (),
    *,
    version: bytes = b"",
    request_id: bytes = b"",
    outputs: Iterable[bytes] = (),
    parameters: Iterable[bytes] = (),
) -> bytes:
    """A ModelInferRequest."""
    encoded = field(1, model) + field(2, version) + field(3, request_id)
    encoded += b"".join(field(4, entry) for entry in parameters)
    encoded += b"".join(field(5, one) for one in inputs)
    encoded += b"".join(field(6, one) for one in outputs)
    return encoded + b"".join(field(7, one) for one in raw)


def identity(datatype: str) -> bytes:
    """The test model of that type: x to y, [batch, 3]."""
    return b"identity_" + datatype.lower().encode()


def strings(*elements: bytes) -> bytes:
    """A BYTES tensor."""
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)
