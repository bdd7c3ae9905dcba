"""The protocol's datatypes as NumPy's. Imported only by what has NumPy."""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["dtype_of"]

_DTYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "BF16": "float32",  # NumPy has none; every value is held exactly
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}


def dtype_of(datatype: str) -> numpy.dtype[Any]:
    """As an answer's array has it. Raises KeyError for what is no datatype."""
    return numpy.dtype(_DTYPES[datatype])
