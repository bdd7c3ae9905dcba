"""Protobuf's wire format, field by field, without the protobuf package. PURE.

For the few messages that the command line sends and reads itself. Unknown fields are the caller's
to skip; missing ones are empty.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

__all__ = [
    "VARINT",
    "WireError",
    "as_bytes",
    "as_signed",
    "as_text",
    "last_text",
    "put_bytes",
    "put_text",
    "put_varint",
    "read_fields",
    "read_packed",
]

VARINT = 0
_FIXED64, _LENGTH, _FIXED32 = 1, 2, 5
_VARINT_BYTES_MAX = 10


class WireError(ValueError):
    """The bytes are no protobuf message."""


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
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


def read_packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield as_signed(value)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(data[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + position + 1
    raise WireError("a number does not end")


def as_signed(value: int) -> int:
    return int(struct.unpack("<q", struct.pack("<Q", value))[0])


def put_varint(value: int) -> bytes:
    rest = value & 0xFFFF_FFFF_FFFF_FFFF  # negative numbers as two's complement
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def put_bytes(number: int, data: bytes, *, always: bool = True) -> bytes:
    if not data and not always:
        return b""
    return put_varint(number << 3 | _LENGTH) + put_varint(len(data)) + data


def put_text(number: int, text: str) -> bytes:
    return put_bytes(number, text.encode(), always=False)


def as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value


def as_text(value: int | bytes) -> str:
    try:
        return as_bytes(value).decode()
    except UnicodeDecodeError:
        raise WireError("text that is not UTF-8") from None


def last_text(fields: Sequence[tuple[int, int | bytes]], number: int) -> str:
    values = [value for found, value in fields if found == number]
    return as_text(values[-1]) if values else ""
