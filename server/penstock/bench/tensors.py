"""Tensors from random numbers, JSON and .npy files, as raw contents. PURE but for reading a file.

No NumPy: elements are made with `random`, `array` and `struct`; files are passed on as they are.
"""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path

from penstock.bench.errors import BenchError
from penstock.bench.npy import read_npy
from penstock.bench.wire import Tensor

__all__ = ["ELEMENT_BYTES", "random_data", "read_value", "slice_rows"]

# struct's letters. BF16 is made from FP32, BYTES from text.
_LETTERS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
ELEMENT_BYTES = {"BF16": 2} | {name: struct.calcsize(f"<{at}") for name, at in _LETTERS.items()}
_FLOATS = ("FP16", "BF16", "FP32", "FP64")
# Random elements beyond these repeat them: what a server does with a float does not depend on
# whether it saw it 65,536 elements ago, and drawing millions of them takes seconds.
_RANDOM_BLOCK_MAX = 1 << 16
_INTEGERS_DEFAULT = (0, 9)
_WORDS = ("river", "stone", "lamp", "ink", "north", "paper", "seven", "cloud", "harvest", "of")


def random_data(
    datatype: str, count: int, source: random.Random, limits: tuple[float, float] | None = None
) -> bytes:
    """Floats lie in [-1, 1), UINT8 and INT8 in their whole range, other integers in 0..9, since an
    integer is often an index into a small table; limits says otherwise."""
    if datatype == "BYTES":
        texts = (" ".join(source.choices(_WORDS, k=source.randint(1, 8))) for _ in range(count))
        return b"".join(_element(text.encode()) for text in texts)
    block = min(count, _RANDOM_BLOCK_MAX)
    data = _random_block(datatype, block, source, limits)
    if block < count:
        whole, rest = divmod(count, block)
        data = data * whole + data[: rest * ELEMENT_BYTES[datatype]]
    return data


def _random_block(
    datatype: str, count: int, source: random.Random, limits: tuple[float, float] | None
) -> bytes:
    if datatype in _FLOATS:
        low, high = limits or (-1.0, 1.0)
        draw, width = source.random, high - low
        return _pack(datatype, [low + width * draw() for _ in range(count)])
    if datatype == "BOOL":
        return bytes(bit & 1 for bit in source.randbytes(count))
    if limits is None and datatype in ("UINT8", "INT8"):
        return source.randbytes(count)
    if datatype not in _LETTERS:
        raise BenchError(f"datatype {datatype!r} is unknown; give the input with --input")
    first, last = (int(limit) for limit in limits or _INTEGERS_DEFAULT)
    try:
        return _pack(datatype, [source.randint(first, last) for _ in range(count)])
    except (struct.error, OverflowError):
        raise BenchError(f"--range {first},{last} does not fit {datatype}") from None


def _pack(datatype: str, values: Sequence[float]) -> bytes:
    if datatype in ("FP32", "BF16"):
        floats = array("f", values)
        if sys.byteorder == "big":
            floats.byteswap()
        raw = floats.tobytes()
        if datatype == "FP32":
            return raw
        # The upper half of each FP32, cut off.
        halves = bytearray(len(raw) // 2)
        halves[0::2], halves[1::2] = raw[2::4], raw[3::4]
        return bytes(halves)
    return struct.pack(f"<{len(values)}{_LETTERS[datatype]}", *values)


def read_value(text: str, *, name: str, datatype: str) -> Tensor:
    """text is `@file.npy`, `@file.json` or JSON; datatype is "" where the model does not say."""
    if not text.startswith("@"):
        return _from_json(text, name=name, datatype=datatype, origin=f"{name}={text[:40]}")
    path = Path(text[1:])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror or error}") from None
    if path.suffix == ".json":
        decoded = content.decode("utf-8", "replace")
        return _from_json(decoded, name=name, datatype=datatype, origin=str(path))
    found = read_npy(content, str(path))
    # BF16 has no NumPy type; UINT16 holds its bits.
    if datatype == "BF16" and found.datatype == "UINT16":
        return Tensor(name=name, datatype=datatype, shape=found.shape, data=found.data)
    if datatype and found.datatype != datatype:
        raise BenchError(f"{path}: {found.datatype}, but the model's {name!r} is {datatype}")
    return Tensor(name=name, datatype=found.datatype, shape=found.shape, data=found.data)


def _from_json(text: str, *, name: str, datatype: str, origin: str) -> Tensor:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BenchError(f"{origin}: no JSON: {error}") from None
    shape: list[int] = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    elements = _flatten(value, shape, origin)
    datatype = datatype or _guess_datatype(elements)
    if datatype == "BYTES":
        if not all(isinstance(element, str) for element in elements):
            raise BenchError(f"{origin}: {name!r} is BYTES and needs strings")
        data = b"".join(_element(str(element).encode()) for element in elements)
    else:
        data = _pack_checked(datatype, elements, origin)
    return Tensor(name=name, datatype=datatype, shape=tuple(shape), data=data)


def _flatten(value: object, shape: Sequence[int], origin: str) -> list[object]:
    level = [value]
    for size in shape:
        deeper: list[object] = []
        for item in level:
            if not isinstance(item, list) or len(item) != size:
                raise BenchError(f"{origin}: the lists are not of equal lengths")
            deeper += item
        level = deeper
    if any(isinstance(item, list | dict) or item is None for item in level):
        raise BenchError(f"{origin}: expected nested lists of numbers or strings of equal depth")
    return level


def _guess_datatype(elements: Sequence[object]) -> str:
    if all(isinstance(element, bool) for element in elements):
        return "BOOL"
    if all(isinstance(element, str) for element in elements):
        return "BYTES"
    return "INT64" if all(isinstance(element, int) for element in elements) else "FP32"


def _pack_checked(datatype: str, elements: Sequence[object], origin: str) -> bytes:
    if datatype not in ELEMENT_BYTES:
        raise BenchError(f"{origin}: datatype {datatype!r} is unknown")
    numbers = [element for element in elements if isinstance(element, int | float)]
    if len(numbers) < len(elements):
        raise BenchError(f"{origin}: {datatype} needs numbers")
    try:
        return _pack(datatype, numbers)
    except (struct.error, OverflowError) as error:
        raise BenchError(f"{origin}: does not fit {datatype}: {error}") from None


def slice_rows(tensor: Tensor, first: int, rows: int) -> Tensor:
    """The rows [first, first + rows)."""
    shape = (rows, *tensor.shape[1:])
    if tensor.datatype == "BYTES":
        each = math.prod(tensor.shape[1:])
        elements = _split_elements(tensor.data)
        data = b"".join(elements[first * each : (first + rows) * each])
    else:
        size = math.prod(tensor.shape[1:]) * ELEMENT_BYTES[tensor.datatype]
        data = tensor.data[first * size : (first + rows) * size]
    return Tensor(name=tensor.name, datatype=tensor.datatype, shape=shape, data=data)


def _split_elements(data: bytes) -> list[bytes]:
    """Each with its length before it."""
    elements = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        elements.append(data[at:end])
        at = end
    return elements


def _element(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text
