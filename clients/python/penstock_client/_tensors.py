"""NumPy arrays to the raw contents of tensors and back: the protocol's datatypes. PURE.

Must not know: messages. Says what is wrong without the tensor's name, which wire.py adds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _columns, _strings

_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in _DTYPES.items()}

# Objects, fixed-width bytes and text, and NumPy 2's strings of any width.
_STRING_KINDS = "OSUT"
_BF16 = np.dtype("<u2")  # its bits
# Not imported: whoever has such an array has the package.
_BF16_DTYPE_NAME = "bfloat16"

# The field of InferTensorContents that holds a datatype, where a server does not answer raw.
_CONTENTS_FIELDS: dict[str, str] = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def encode(array: NDArray[Any], datatype: str | None) -> tuple[str, bytes | NDArray[np.uint8]]:
    """The datatype and the raw contents: a view of the array where its layout allows.

    `datatype` None is the one of the array's dtype. Raises ValueError.
    """
    own = datatype_of(array.dtype)
    if datatype == "BF16" and own == "FP32":
        return "BF16", _bytes_of(_columns.bf16_bits(array), _BF16)
    if datatype not in (None, own):
        raise ValueError(
            f"an array of dtype {array.dtype} cannot be sent as {datatype}; nothing is converted"
        )
    if own is None:
        raise ValueError(f"dtype {array.dtype} has no counterpart in the protocol")
    if own == "BYTES":
        return own, _strings.pack(array.reshape(-1).tolist())
    if own == "BF16":
        return own, _bytes_of(array.view(np.uint16), _BF16)
    return own, _bytes_of(array, _DTYPES[own])


def datatype_of(dtype: np.dtype[Any]) -> str | None:
    """The protocol's name for a dtype, in any byte order; None where it has none."""
    name = _NAMES.get(dtype)
    if name is not None:
        return name
    if dtype.kind in _STRING_KINDS:
        return "BYTES"
    if dtype.name == _BF16_DTYPE_NAME:
        return "BF16"
    return _NAMES.get(dtype.newbyteorder("<"))


def dtype_of(datatype: str) -> np.dtype[Any]:
    """The dtype of the arrays that an answer has for a datatype of the protocol.

    BYTES is object, BF16 is float32. Raises ValueError for what is no datatype.
    """
    if datatype == "BYTES":
        return np.dtype(object)
    if datatype == "BF16":
        return np.dtype(np.float32)
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        raise ValueError(f"datatype {datatype!r} is unknown")
    return dtype


def decode_raw(datatype: str, shape: tuple[int, ...], raw: bytes) -> NDArray[Any]:
    """The array, read-only; a view of `raw` for numbers, but BF16, which becomes float32.

    Raises ValueError.
    """
    count = _count_of(shape)
    if datatype == "BYTES":
        return _shaped(_strings.unpack(raw, count), shape)
    dtype = _BF16 if datatype == "BF16" else dtype_of(datatype)
    if len(raw) != count * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes, {datatype} {list(shape)} has {count * dtype.itemsize}")
    values = np.frombuffer(raw, dtype)
    return _shaped(_float32_of(values) if datatype == "BF16" else values, shape)


def decode_typed(datatype: str, shape: tuple[int, ...], contents: Any) -> NDArray[Any]:
    """The array, from an InferTensorContents; read-only. Raises ValueError."""
    field = _CONTENTS_FIELDS.get(datatype)
    if field is None:
        raise ValueError(f"{datatype!r} cannot come as typed contents")
    values = getattr(contents, field)
    count = _count_of(shape)
    if len(values) != count:
        raise ValueError(f"{len(values)} {field}, {datatype} {list(shape)} has {count}")
    array = np.empty(count, dtype=dtype_of(datatype))
    try:
        array[:] = list(values)
    except OverflowError as error:
        raise ValueError(f"{field} beyond {datatype}: {error}") from None
    return _shaped(array, shape)


def _count_of(shape: tuple[int, ...]) -> int:
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {list(shape)} has a negative dimension")
    return math.prod(shape)


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Raises ValueError where NumPy has no room for such a shape."""
    array = values.reshape(shape)
    array.flags.writeable = False
    return array


def _bytes_of(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.uint8]:
    """In row-major order and the byte order of `dtype`."""
    return np.asarray(array, dtype=dtype, order="C").reshape(-1).view(np.uint8)


def _float32_of(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 as float32, exactly."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
