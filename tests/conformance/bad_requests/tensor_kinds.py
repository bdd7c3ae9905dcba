"""Tensors that are not what their model takes: types, sizes, shapes, typed contents, strings."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from conformance.bad_requests.encoding import (
    CONTENTS_FIELDS,
    SIZES,
    field,
    identity,
    packed,
    request,
    strings,
    tensor,
    varint,
)
from conformance.bad_requests.kinds import MAX_BATCH_SIZE, Kind

ELEMENTS = 6  # of [2,3], the shape of all that follows
# A type that the same bytes could pass for.
LOOKALIKES = {
    "BOOL": "UINT8", "UINT8": "INT8", "INT8": "BOOL", "UINT16": "FP16", "INT16": "UINT16",
    "FP16": "BF16", "BF16": "FP16", "UINT32": "INT32", "INT32": "FP32", "FP32": "UINT32",
    "UINT64": "INT64", "INT64": "FP64", "FP64": "UINT64", "BYTES": "UINT8",
}  # fmt: skip
FIELD_NAMES = {
    1: "bool_contents", 2: "int_contents", 3: "int64_contents", 4: "uint_contents",
    5: "uint64_contents", 6: "fp32_contents", 7: "fp64_contents", 8: "bytes_contents",
}  # fmt: skip
# The first numbers outside what a narrow type holds; they travel in a wider one.
OUT_OF_RANGE = {
    "INT8": (-129, 128), "INT16": (-(2**15) - 1, 2**15), "UINT8": (2**8, 2**32 - 1),
    "UINT16": (2**16, 2**32 - 1),
}  # fmt: skip


def raw_data(datatype: str) -> bytes:
    if datatype == "BYTES":
        return strings(*[b"text"] * ELEMENTS)
    return bytes(ELEMENTS * SIZES[datatype])


def contents(number: int, count: int) -> bytes:
    """`count` zeros in the field of InferTensorContents, packed where it can be."""
    if number == 8:
        return field(8, b"") * count
    return field(number, bytes(count * {6: 4, 7: 8}.get(number, 1)))


def typed(datatype: str, data: bytes) -> bytes:
    return request(identity(datatype), [tensor(datatype=datatype, contents=data)])


def sized(datatype: str, data: bytes) -> bytes:
    return request(identity(datatype), [tensor(datatype=datatype)], [data])


def byte_counts() -> Iterator[Kind]:
    for datatype, size in SIZES.items():
        right = raw_data(datatype)
        wrong = {"one byte short": right[1:], "one byte over": right + b"\0", "no bytes": b""}
        if size > 1:
            wrong["one element short"] = right[size:]
        for name, data in wrong.items():
            says = ("input 'x'", f"{len(data)} bytes", f"{datatype} [2,3] needs {len(right)}")
            yield Kind(name=f"{datatype}: {name}", message=sized(datatype, data), says=says)


def datatypes() -> Iterator[Kind]:
    for datatype, other in LOOKALIKES.items():
        message = request(identity(datatype), [tensor(datatype=other)], [raw_data(other)])
        says = ("input 'x'", f"datatype '{other}'", f"takes {datatype}")
        yield Kind(name=f"{datatype}: sent as {other}", message=message, says=says)
    for name in ("", "fp32", "float32", "FP32 ", "FP8", "TYPE_FP32", "STRING", "FP32\0"):
        message = request(b"identity_fp32", [tensor(datatype=name)], [bytes(24)])
        yield Kind(name=f"datatype {name!r}", message=message, says=("input 'x'", "takes FP32"))


def typed_contents() -> Iterator[Kind]:
    for datatype, number in CONTENTS_FIELDS.items():
        for name, count in (("short", ELEMENTS - 1), ("over", ELEMENTS + 1), ("none", 0)):
            plural = "elements" if count != 1 else "element"
            yield Kind(
                name=f"{datatype}: typed, {name}",
                message=typed(datatype, contents(number, count)),
                says=(f"{count} {plural} in {FIELD_NAMES[number]}", f"{datatype} [2,3] needs 6"),
            )
        other = 3 if number != 3 else 5
        says = (f"{datatype} travels in {FIELD_NAMES[number]}", f"{FIELD_NAMES[other]} is given")
        for name, data in {
            "in another field": contents(other, ELEMENTS),
            "in two fields": contents(number, ELEMENTS) + contents(other, 1),
        }.items():
            yield Kind(name=f"{datatype}: {name}", message=typed(datatype, data), says=says)
    for datatype in ("FP16", "BF16"):
        message = typed(datatype, contents(6, ELEMENTS))
        says = ("input 'x'", f"{datatype} has no typed contents", "raw_input_contents")
        yield Kind(name=f"{datatype}: typed", message=message, says=says)


def out_of_range() -> Iterator[Kind]:
    for datatype, numbers in OUT_OF_RANGE.items():
        for number in numbers:
            data = field(CONTENTS_FIELDS[datatype], packed([0, 0, number, 0, 0, 0]))
            says = ("input 'x'", f"element 2 of {FIELD_NAMES[CONTENTS_FIELDS[datatype]]}")
            says += (f"is {number}", f"{datatype} holds")
            yield Kind(name=f"{datatype}: {number}", message=typed(datatype, data), says=says)


def malformed_contents() -> Iterator[Kind]:
    for name, datatype, data in (
        ("a varint that does not end", "INT32", field(2, b"\0\0\0\0\0\xff")),
        ("a varint of eleven bytes", "INT64", field(3, b"\0\0\0\0\0" + b"\xff" * 10 + b"\1")),
        ("half a float", "FP32", field(6, bytes(22))),
        ("half a double", "FP64", field(7, bytes(44))),
        ("a length past the end", "FP32", varint(6 << 3 | 2) + b"\x18" + bytes(4)),
        ("a string past the end", "BYTES", field(8, b"") * 5 + b"\x42\x7f"),
    ):
        message = typed(datatype, data)
        yield Kind(
            name=f"contents: {name}", message=message, says=("contents", "no protobuf message")
        )


def shapes() -> Iterator[Kind]:
    for shape, size in (
        ([], 4), ([6], 24), ([1, 2, 3], 24), ([2, 3, 1], 24), ([1] * 8, 4), ([2, 4], 32),
        ([3, 2], 24), ([-1, 3], 24), ([2, -3], 24), ([-2, -3], 24), ([-(2**63), 3], 24),
        ([2, 0], 0),
    ):  # fmt: skip
        text = "[" + ",".join(map(str, shape)) + "]"
        message = request(b"identity_fp32", [tensor(shape=shape)], [bytes(size)])
        says = ("input 'x'", f"shape {text}", "takes [-1,3]")
        yield Kind(name=f"shape {text}", message=message, says=says)
    for name, model, shape, size in (
        ("most rows", b"identity_fp32", [2**63 - 1, 3], 24),
        ("product past int64", b"identity_fp32", [2**62, 3], 24),
        # 12 * (2^62 + 2) is 24 where 64 bits are all there is.
        ("bytes that wrap to the right count", b"identity_fp32", [2**62 + 2, 3], 24),
        ("two huge dimensions", b"free_inner", [2**32, 2**32, 2], 0),
        ("bytes past 64 bits", b"free_inner", [1, 2**61, 2], 0),
    ):
        message = request(model, [tensor(shape=shape)], [bytes(size)])
        yield Kind(name=f"shape: {name}", message=message, says=("input 'x'", "can be counted"))
    for name, shape in (("nine dimensions", [1] * 9), ("a thousand dimensions", [1] * 1000)):
        message = request(b"identity_fp32", [tensor(shape=shape)], [bytes(24)])
        yield Kind(name=f"shape: {name}", message=message, says=("input 'x'", "8 dimensions"))


def rows() -> Iterator[Kind]:
    for name, data in (("", b""), (" but bytes", bytes(12))):
        message = request(b"identity_fp32", [tensor(shape=[0, 3])], [data])
        says = ("input 'x'", "[0,3]")
        yield Kind(name=f"no rows{name}", message=message, says=says)
    many = MAX_BATCH_SIZE + 1
    for datatype, data in (("FP32", bytes(12 * many)), ("BYTES", strings(*[b"s"] * 3 * many))):
        one = tensor(datatype=datatype, shape=[many, 3])
        yield Kind(
            name=f"{datatype}: one row above max_batch_size",
            message=request(identity(datatype), [one], [data]),
            says=(f"{many} rows", f"takes 1 to {MAX_BATCH_SIZE}"),
        )
    message = request(b"fixed_batch", [tensor(shape=[2, 4])], [bytes(32)])
    yield Kind(name="two rows for one", message=message, says=("shape [2,4]", "takes [1,4]"))
    for index in (10, -11, 2**63 - 1, -(2**63)):
        one = tensor(b"index", "INT64", [1])
        yield Kind(
            name=f"index {index} of a table of ten",
            message=request(b"gather", [one], [struct.pack("<q", index)]),
            says=("Gather", "indices element out of data bounds"),
        )


def lying_strings() -> Iterator[Kind]:
    five = strings(*[b"text"] * 5)
    for name, data in {
        "five elements for six": five,
        "seven elements for six": strings(*[b""] * 7),
        "no elements": b"",
        "half a length": five + b"\4\0",
        "a length one past the end": five + struct.pack("<I", 5) + b"text",
        "a length one short": five + struct.pack("<I", 3) + b"text",
        "the longest length": five + struct.pack("<I", 2**32 - 1) + b"text",
        "a length that is negative where it is signed": five + struct.pack("<i", -4) + b"text",
        "lengths of the other byte order": b"".join(
            struct.pack(">I", 4) + b"text" for _ in "123456"
        ),
        "a byte behind the last": strings(*[b"text"] * 6) + b"\0",
    }.items():
        message = request(b"identity_bytes", [tensor(datatype="BYTES")], [data])
        yield Kind(name=f"strings: {name}", message=message, says=("input 'x'", "BYTES [2,3]"))


TENSOR_KINDS = [
    *byte_counts(),
    *datatypes(),
    *typed_contents(),
    *out_of_range(),
    *malformed_contents(),
    *shapes(),
    *rows(),
    *lying_strings(),
]
