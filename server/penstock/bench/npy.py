"""Reads .npy files: the header is parsed, the elements are passed on as they are. PURE.

The format is NumPy's, versions 1.0 to 3.0: magic, header length, a Python dictionary as text, data.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from penstock.bench.errors import BenchError

__all__ = ["NpyArray", "read_npy"]

_MAGIC = b"\x93NUMPY"
_PREFIX_LEN = 8
# By kind and size in bytes, without the byte order.
_DATATYPES = {
    "b1": "BOOL",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NpyArray:
    datatype: str
    shape: tuple[int, ...]
    data: bytes  # as in raw contents: BYTES elements carry their length


def read_npy(content: bytes, name: str) -> NpyArray:
    """name stands in the errors."""
    header, data = _split(content, name)
    descr, shape = _described(header, name)
    if descr[0] == ">" and descr[1:] not in ("b1", "u1", "i1"):
        raise BenchError(f"{name}: big-endian {descr!r}; save it with .astype('<{descr[1:]}')")
    kind = descr[1:]
    count = math.prod(shape)
    if kind[:1] in ("S", "U") and kind[1:].isdigit():
        size = int(kind[1:]) * (4 if kind[0] == "U" else 1)
        return NpyArray(datatype="BYTES", shape=shape, data=_texts(data, kind[0], size, count))
    datatype = _DATATYPES.get(kind)
    if datatype is None:
        raise BenchError(f"{name}: elements of type {descr!r} cannot be sent")
    expected = count * int(kind[1:])
    if len(data) != expected:
        raise BenchError(
            f"{name}: {len(data)} bytes of data, {descr} {list(shape)} needs {expected}"
        )
    return NpyArray(datatype=datatype, shape=shape, data=data)


def _split(content: bytes, name: str) -> tuple[str, bytes]:
    if not content.startswith(_MAGIC) or len(content) < _PREFIX_LEN + 4:
        raise BenchError(f"{name}: not a .npy file")
    # Version 1 has a length of two bytes, later ones of four.
    length_len = 2 if content[6] == 1 else 4
    begin = _PREFIX_LEN + length_len
    length = int.from_bytes(content[_PREFIX_LEN:begin], "little")
    if begin + length > len(content):
        raise BenchError(f"{name}: the file ends inside its header")
    return content[begin : begin + length].decode("utf-8", "replace"), content[begin + length :]


def _described(header: str, name: str) -> tuple[str, tuple[int, ...]]:
    try:
        fields = ast.literal_eval(header.strip())
        descr, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise BenchError(f"{name}: the header is no .npy header") from None
    good_shape = isinstance(shape, tuple) and all(
        isinstance(dimension, int) and dimension >= 0 for dimension in shape
    )
    if not isinstance(descr, str) or len(descr) < 3 or not good_shape:
        raise BenchError(f"{name}: only arrays of plain numbers or text can be sent, got {descr!r}")
    if fortran and len(shape) > 1:
        raise BenchError(f"{name}: column-major; save it with numpy.ascontiguousarray")
    return descr, shape


def _texts(data: bytes, kind: str, size: int, count: int) -> bytes:
    pieces = []
    for index in range(count):
        raw = data[index * size : (index + 1) * size]
        element = (
            raw.rstrip(b"\0") if kind == "S" else raw.decode("utf-32-le").rstrip("\0").encode()
        )
        pieces.append(len(element).to_bytes(4, "little") + element)
    return b"".join(pieces)
