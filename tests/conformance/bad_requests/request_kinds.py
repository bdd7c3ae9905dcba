"""Requests whose tensors may be fine, but not the request: which model, which inputs and outputs,
which parameters; bytes that are no protobuf message; and the other calls."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.bad_requests.encoding import (
    field,
    output,
    parameter,
    request,
    strings,
    tensor,
    varint,
)
from conformance.bad_requests.kinds import NOT_FOUND, UNIMPLEMENTED, Kind

A, B = (tensor(name, shape=[2, 4]) for name in (b"a", b"b"))
RAW = bytes(32)
X = tensor(shape=[2, 3])
X_RAW = bytes(24)
ENTRIES_MAX = 1024
SERVICE = "/inference.GRPCInferenceService"


def x_request(**options: object) -> bytes:
    return request(b"identity_fp32", [X], [X_RAW], **options)  # type: ignore[arg-type]


def models() -> Iterator[Kind]:
    for name in (b"", b"identity_fp33", b"IDENTITY_FP32", b"identity_fp32 ", b"../identity_fp32"):
        says = (f"model '{name.decode()}'",)
        yield Kind(
            name=f"model {name!r}", message=request(name, [X], [X_RAW]), code=NOT_FOUND, says=says
        )
    yield Kind(name="an empty message", message=b"", code=NOT_FOUND, says=("model ''",))
    for title, name in {
        "of no text": b"\xff\xfe",
        "with a NUL": b"identity_fp32\0",
        "with a line break": b"identity\r\ngrpc-status: 0",
        "of 64 KiB": b"m" * (1 << 16),
        "with format directives": b"%s%n%00",
    }.items():
        message = request(name, [X], [X_RAW])
        yield Kind(name=f"model {title}", message=message, code=NOT_FOUND, says=("model '",))
    for version in (b"2", b"0", b"-1", b"+1", b"01", b"1.0", b" 1", b"0x1", b"latest", b"9" * 30):
        says = ("model 'identity_fp32'", f"'{version.decode()}'", "served: 1")
        message = x_request(version=version)
        yield Kind(name=f"version {version!r}", message=message, code=NOT_FOUND, says=says)
    for title, version in {"of no text": b"\xff", "with a NUL": b"1\0"}.items():
        message = x_request(version=version)
        yield Kind(name=f"version {title}", message=message, code=NOT_FOUND, says=("version",))
    yield Kind(
        name="id of no text", message=x_request(request_id=b"\xc0\x80"), says=("id", "UTF-8")
    )


def inputs() -> Iterator[Kind]:
    names = "'a', 'b'"
    many = [tensor(f"x{i}".encode()) for i in range(ENTRIES_MAX + 1)]
    for name, given, raw, says in (
        ("no input", [], [], ("input 'a' is missing", names)),
        ("first missing", [B], [RAW], ("input 'a' is missing", names)),
        ("last missing", [A], [RAW], ("input 'b' is missing", names)),
        ("twice", [A, A], [RAW, RAW], ("input 'a'", "more than once")),
        ("all and one twice", [A, B, B], [RAW] * 3, ("input 'b'", "more than once")),
        ("unknown", [A, tensor(b"z")], [RAW, X_RAW], ("input 'z'", names)),
        ("one too many", [A, B, tensor(b"z")], [RAW, RAW, X_RAW], ("input 'z'", names)),
        ("without a name", [A, tensor(b"")], [RAW, X_RAW], ("input ''", names)),
        ("name of no text", [tensor(b"\xff"), B], [RAW, RAW], ("input '?'", names)),
        ("name with a NUL", [tensor(b"a\0"), B], [RAW, RAW], ("input 'a?'", names)),
        ("empty", [A, b""], [RAW, b""], ("input ''", names)),
        ("of other rows", [A, tensor(b"b", shape=[3, 4])], [RAW, bytes(48)], ("3 rows", "has 2")),
        ("1,025", many, [X_RAW], (f"more than {ENTRIES_MAX} inputs",)),
        ("raw for none", [A, B], [], ("neither raw_input_contents nor typed contents",)),
        ("raw for the first", [A, B], [RAW], ("1 entries in raw_input_contents", "2 inputs")),
        ("raw for one more", [A, B], [RAW] * 3, ("3 entries in raw_input_contents", "2 inputs")),
        (
            "raw for 1,025",
            [A, B],
            [b""] * (ENTRIES_MAX + 1),
            ("more than 1024 raw_input_contents",),
        ),
        ("raw and no input", [], [RAW], ("1 entries in raw_input_contents", "0 inputs")),
    ):
        message = request(b"two_by_two", given, raw)
        yield Kind(name=f"inputs: {name}", message=message, says=says)


def raw_and_typed() -> Iterator[Kind]:
    data = field(6, RAW)
    a, b = (tensor(name, shape=[2, 4], contents=data) for name in (b"a", b"b"))
    empty = tensor(b"a", shape=[2, 4], contents=b"")
    for name, given, raw, says in (
        ("both for both", [a, b], [RAW, RAW], ("input 'a'", "send one of them")),
        ("typed, and raw for the other", [A, b], [RAW], ("input 'b'", "send one of them")),
        ("empty contents beside raw", [empty, B], [RAW, RAW], ("input 'a'", "send one of them")),
        ("typed for one, none for the other", [a, B], [], ("input 'b'", "neither")),
        ("contents twice", [a + field(5, data), b], [], ("input 'a'", "more than once")),
    ):
        message = request(b"two_by_two", given, raw)
        yield Kind(name=f"raw and typed: {name}", message=message, says=says)


def outputs() -> Iterator[Kind]:
    names = "'y'"
    for name, asked, says in (
        ("unknown", [output(b"z")], ("output 'z'", names)),
        ("known and unknown", [output(b"y"), output(b"z")], ("output 'z'", names)),
        ("twice", [output(b"y"), output(b"y")], ("output 'y'", "more than once")),
        ("an input", [output(b"x")], ("output 'x'", names)),
        ("without a name", [b""], ("output ''", names)),
        ("name of no text", [output(b"\xff")], ("output '?'", names)),
        ("1,025", [output(b"y")] * (ENTRIES_MAX + 1), ("more than 1024 requested outputs",)),
    ):
        yield Kind(name=f"outputs: {name}", message=x_request(outputs=asked), says=says)


BOOL, INT64, STRING, DOUBLE, UINT64 = range(1, 6)


def parameters() -> Iterator[Kind]:
    for name, kind, value, says in (
        (b"triton_mine", STRING, b"x", "reserved"),
        (b"triton_", INT64, 1, "reserved"),
        (b"headers", STRING, b"x", "reserved"),
        (b"binary_data_output", BOOL, 1, "reserved"),
        (b"triton_enable_empty_final_response", STRING, b"yes", "bool_param"),
        (b"priority", STRING, b"high", "0 or more"),
        (b"priority", INT64, -1, "0 or more"),
        (b"priority", DOUBLE, 1.5, "0 or more"),
        (b"priority", 0, 0, "0 or more"),
        (b"timeout", INT64, -1, "microseconds"),
        (b"timeout", STRING, b"1s", "microseconds"),
        (b"timeout", BOOL, 1, "microseconds"),
        (b"timeout", UINT64, 2**64 - 1, "microseconds"),
        (b"sequence_id", BOOL, 1, "expected"),
        (b"sequence_id", DOUBLE, 0.5, "expected"),
        (b"sequence_start", INT64, 1, "bool_param"),
        (b"sequence_end", STRING, b"true", "bool_param"),
    ):
        yield Kind(
            name=f"parameter {name.decode()}, {value!r}",
            message=x_request(parameters=[parameter(name, kind, value)]),
            says=(f"parameter '{name.decode()}'", says),
        )
    for kind, value in ((INT64, 0), (INT64, -1), (UINT64, 2**64 - 1), (STRING, b"3"), (BOOL, 1)):
        yield Kind(
            name=f"classification {value!r}",
            message=x_request(outputs=[output(b"y", [parameter(b"classification", kind, value)])]),
            says=("output 'y': parameter 'classification'", "1 or more"),
        )
    region = parameter(b"shared_memory_region", STRING, b"/dev/shm/mine")
    size = parameter(b"shared_memory_byte_size", INT64, 24)
    for name, message, says in (
        (
            "input in shared memory",
            request(b"identity_fp32", [tensor(parameters=[region, size])]),
            ("input 'x'", "shared_memory_region"),
        ),
        (
            "output in shared memory",
            x_request(outputs=[output(b"y", [region, size])]),
            ("output 'y'", "shared_memory_region"),
        ),
    ):
        yield Kind(name=name, message=message, code=UNIMPLEMENTED, says=says)


def malformed() -> Iterator[Kind]:
    whole = x_request(request_id=b"7")
    endless = b"\xff" * 11
    for name, message in {
        "a tag that does not end": b"\xff",
        "a tag of eleven bytes": endless,
        "field number 0": b"\x02\0",
        "wire type 6": b"\x0e",
        "wire type 7": b"\x0f",
        "a group that nothing ends": b"\x0b",
        "the end of a group that nothing began": b"\x0c",
        "a length without an end": b"\x0a" + endless,
        "a length past the end": b"\x0a\x7fmlp",
        "the longest length": b"\x0a" + varint(2**64 - 1),
        "a length of 2 GiB": b"\x0a" + varint(2**31),
        "fixed32 cut short": b"\x0d\0\0",
        "fixed64 cut short": b"\x09\0\0\0\0",
        "a length without its bytes at the end": whole + b"\x3a\x18",
        "an input cut short": field(1, b"identity_fp32") + b"\x2a\x05\x0a\x7f",
        "an input that is no message": request(b"identity_fp32", [b"\xff"], [X_RAW]),
        "a dimension that does not end": request(b"identity_fp32", [field(3, b"\2\xff")]),
        "a dimension of eleven bytes": request(b"identity_fp32", [field(3, endless)]),
        "dimensions past their tensor": request(b"identity_fp32", [b"\x1a\x7f\2"]),
        "an output that is no message": x_request(outputs=[b"\xff"]),
        "a parameter that is no message": x_request(parameters=[b"\xff"]),
        "a parameter's value that is no message": x_request(
            parameters=[field(1, b"priority") + field(2, b"\xff")]
        ),
        "noise": bytes(range(256)),
        "text": b'{"model_name": "identity_fp32"}',
        "a thousand levels": nested(1000),
    }.items():
        yield Kind(name=f"protobuf: {name}", message=message, says=("malformed protobuf",))


def nested(levels: int) -> bytes:
    """Groups inside groups, which a recursive decoder would follow to the end of its stack."""
    return b"\x0b" * levels


def other_calls() -> Iterator[Kind]:
    service, health = SERVICE, "/grpc.health.v1.Health/Check"
    for method in ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata"):
        path = f"{service}/{method}"
        for name, message in {"no message": b"\x0a\x7fx", "a tag cut short": b"\xff"}.items():
            says = (f"{method}Request", "no protobuf message")
            yield Kind(name=f"{method}: {name}", message=message, says=says, path=path)
    for name, message, code, says, path in (
        (
            "metadata of no model",
            field(1, b"none"),
            NOT_FOUND,
            "'none'",
            f"{service}/ModelMetadata",
        ),
        (
            "metadata of no version",
            field(1, b"gather") + field(2, b"7"),
            NOT_FOUND,
            "'7'",
            f"{service}/ModelMetadata",
        ),
        ("health of no service", field(1, b"none"), NOT_FOUND, "'none'", health),
    ):
        yield Kind(name=name, message=message, code=code, says=(says,), path=path)
    yield Kind(
        name="health: no message", message=b"\xff", says=("HealthCheckRequest",), path=health
    )
    for path in (f"{service}/Infer", f"{service}/", "/no.Service/ModelInfer", "/", "/a", "//"):
        says = ("is not served here", path)
        yield Kind(name=f"path {path}", message=b"", code=UNIMPLEMENTED, says=says, path=path)
    for method in ("ModelStreamInfer", "RepositoryModelLoad", "SystemSharedMemoryRegister"):
        path = f"{service}/{method}"
        says = ("is not served here", method)
        yield Kind(name=f"call {method}", message=b"", code=UNIMPLEMENTED, says=says, path=path)


REQUEST_KINDS = [
    *models(),
    *inputs(),
    *raw_and_typed(),
    *outputs(),
    *parameters(),
    *malformed(),
    *other_calls(),
]
# What good neighbours send: their text must never show up in anyone else's answer.
CANARY = b"canary-5c1e77"
NEIGHBOUR = request(
    b"identity_bytes",
    [tensor(datatype="BYTES", shape=[1, 3])],
    [strings(CANARY, b"\xff\0" + CANARY, b"")],
    request_id=CANARY,
)
