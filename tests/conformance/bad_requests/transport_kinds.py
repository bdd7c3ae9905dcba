"""Calls that are wrong below the message: gRPC's framing and headers, HTTP/2's streams, and what
ends a whole connection."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.bad_requests.kinds import (
    INFER,
    INTERNAL,
    INVALID_ARGUMENT,
    MAX_MESSAGE_BYTES,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
)
from conformance.bad_requests.request_kinds import NEIGHBOUR
from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)
from support.raw_http2 import PREFACE, RawHttp2, message_bytes

# RFC 9113 section 7.
PROTOCOL_ERROR, FLOW_CONTROL_ERROR = 1, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR = 5, 6, 9
GOOD = message_bytes(NEIGHBOUR)
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", INFER),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKind:
    """One call on a good connection, which goes on. Exactly one of `code` (a gRPC status), `http`
    (an HTTP status) and `reset` (an RST_STREAM) is what it must get."""

    name: str
    headers: list[tuple[str, str]]
    body: bytes = GOOD
    ends: bool = True  # with END_STREAM
    code: int | None = None
    http: str | None = None
    reset: int | None = None
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKind:
    """Bytes after which the connection must end, with a GOAWAY that says one of `goaway`."""

    name: str
    send: Callable[[RawHttp2], bytes]
    goaway: set[int]
    handshake: bool = True


def with_fields(*more: tuple[str, str], without: str = "") -> list[tuple[str, str]]:
    return [pair for pair in HEADERS if pair[0] != without] + list(more)


def replaced(name: str, value: str) -> list[tuple[str, str]]:
    return [(key, value if key == name else old) for key, old in HEADERS]


def framings() -> Iterator[CallKind]:
    huge = MAX_MESSAGE_BYTES + 1
    for name, body, code, says in (
        ("no message", b"", INTERNAL, ("ended after 0 of 0",)),
        ("1 byte of the prefix", GOOD[:1], INTERNAL, ("ended after",)),
        ("4 bytes of the prefix", GOOD[:4], INTERNAL, ("ended after",)),
        ("the prefix alone", GOOD[:5], INTERNAL, (f"ended after 0 of {len(NEIGHBOUR)}",)),
        ("one byte short", GOOD[:-1], INTERNAL, (f"of {len(NEIGHBOUR)} message bytes",)),
        ("one byte over", GOOD + b"\0", INTERNAL, ("more than one",)),
        ("two messages", GOOD + GOOD, INTERNAL, ("more than one",)),
        ("compressed without a name", b"\1" + GOOD[1:], INTERNAL, ("grpc-encoding",)),
        ("flag 2", b"\2" + GOOD[1:], INTERNAL, ("grpc-encoding",)),
        ("flag 255", b"\xff" + GOOD[1:], INTERNAL, ("grpc-encoding",)),
        ("a prefix past the limit", struct.pack(">BI", 0, huge), RESOURCE_EXHAUSTED, (str(huge),)),
        ("a prefix of 2 GiB", struct.pack(">BI", 0, 2**31), RESOURCE_EXHAUSTED, (str(2**31),)),
        ("the largest prefix", b"\0" + b"\xff" * 4, RESOURCE_EXHAUSTED, (str(2**32 - 1),)),
    ):
        yield CallKind(name=f"body: {name}", headers=HEADERS, body=body, code=code, says=says)
    yield CallKind(
        name="body: a prefix past the limit, and the stream left open",
        headers=HEADERS,
        body=struct.pack(">BI", 0, huge),
        ends=False,
        code=RESOURCE_EXHAUSTED,
        says=(str(huge), f"max_message_bytes is {MAX_MESSAGE_BYTES}"),
    )
    for name in ("gzip", "deflate", "snappy", "", "identity, gzip"):
        yield CallKind(
            name=f"grpc-encoding {name!r}",
            headers=with_fields(("grpc-encoding", name)),
            body=b"\1" + GOOD[1:],
            code=UNIMPLEMENTED,
            says=("compressed",),
        )


def grpc_headers() -> Iterator[CallKind]:
    for text in ("", "1", "S", "-1S", "+1S", "1x", "1s", "123456789S", "1.5S", "1 S", "0x1S"):
        yield CallKind(
            name=f"grpc-timeout {text!r}",
            headers=with_fields(("grpc-timeout", text)),
            code=INVALID_ARGUMENT,
            says=("grpc-timeout", "1 to 8 digits"),
        )
    for text in ("", "application/json", "application/grpcx", "text/plain", "grpc"):
        yield CallKind(
            name=f"content-type {text!r}", headers=replaced("content-type", text), http="415"
        )
    yield CallKind(name="no content-type", headers=with_fields(without="content-type"), http="415")
    for method, status in (("GET", "404"), ("PUT", "405"), ("DELETE", "405"), ("PATCH", "405")):
        yield CallKind(name=f"method {method}", headers=replaced(":method", method), http=status)


def http2_headers() -> Iterator[CallKind]:
    """RFC 9113 section 8: such a request is malformed, and its stream is reset."""
    swapped = [HEADERS[4], *HEADERS[:4], *HEADERS[5:]]
    for name, headers in {
        "no :path": with_fields(without=":path"),
        "an empty :path": replaced(":path", ""),
        "no :method": with_fields(without=":method"),
        "no :scheme": with_fields(without=":scheme"),
        "two :path": [HEADERS[2], *HEADERS],
        "an unknown pseudo-header": [(":mine", "1"), *HEADERS],
        "a response's pseudo-header": [(":status", "200"), *HEADERS],
        "a pseudo-header behind a field": swapped,
        "te: gzip": replaced("te", "gzip"),
        "connection": with_fields(("connection", "keep-alive")),
        "transfer-encoding": with_fields(("transfer-encoding", "chunked")),
        "upgrade": with_fields(("upgrade", "h2c")),
        "an upper-case name": with_fields(("X-Mine", "1")),
        "a name with a space": with_fields(("x mine", "1")),
        "a value with a line break": with_fields(("x-mine", "1\r\ngrpc-status: 0")),
        "a value with a NUL": with_fields(("x-mine", "1\0")),
        "content-length of too few": with_fields(("content-length", str(len(GOOD) - 1))),
        "content-length of too many": with_fields(("content-length", str(len(GOOD) + 1))),
        "content-length that is no number": with_fields(("content-length", "many")),
        "two content-lengths": with_fields(
            ("content-length", str(len(GOOD))), ("content-length", "1")
        ),
    }.items():
        yield CallKind(name=f"headers: {name}", headers=headers, reset=PROTOCOL_ERROR)


def raw_frame(
    kind: int, flags: int, stream: int, payload: bytes, length: int | None = None
) -> bytes:
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def block(raw: RawHttp2) -> bytes:
    return bytes(raw.encoder.encode(HEADERS))


def begun(raw: RawHttp2) -> bytes:
    """HEADERS of stream 1, left open."""
    frame = HeadersFrame(1, data=block(raw))
    frame.flags.add("END_HEADERS")
    return bytes(frame.serialize())


def frames(*all_frames: Frame | bytes) -> Callable[[RawHttp2], bytes]:
    pieces = [f if isinstance(f, bytes) else bytes(f.serialize()) for f in all_frames]
    return lambda _: b"".join(pieces)


def after_begin(*all_frames: Frame | bytes) -> Callable[[RawHttp2], bytes]:
    return lambda raw: begun(raw) + frames(*all_frames)(raw)


def connections() -> Iterator[ConnectionKind]:
    for name, send, goaway in (
        ("DATA on stream 0", frames(raw_frame(0, 0, 0, b"x")), {PROTOCOL_ERROR}),
        ("DATA on an idle stream", frames(DataFrame(9, b"x")), {PROTOCOL_ERROR}),
        ("RST_STREAM on an idle stream", frames(RstStreamFrame(9)), {PROTOCOL_ERROR}),
        ("WINDOW_UPDATE on an idle stream", frames(WindowUpdateFrame(9, 1)), {PROTOCOL_ERROR}),
        ("WINDOW_UPDATE of 0", frames(raw_frame(8, 0, 0, bytes(4))), {PROTOCOL_ERROR}),
        (
            "a window past 2^31-1",
            frames(*[WindowUpdateFrame(0, 2**31 - 1)] * 2),
            {FLOW_CONTROL_ERROR},
        ),
        ("WINDOW_UPDATE of 3 bytes", frames(raw_frame(8, 0, 0, bytes(3))), {FRAME_SIZE_ERROR}),
        ("PING of 7 bytes", frames(raw_frame(6, 0, 0, bytes(7))), {FRAME_SIZE_ERROR}),
        ("PING on a stream", after_begin(raw_frame(6, 0, 1, bytes(8))), {PROTOCOL_ERROR}),
        ("SETTINGS of 5 bytes", frames(raw_frame(4, 0, 0, bytes(5))), {FRAME_SIZE_ERROR}),
        ("SETTINGS on a stream", after_begin(raw_frame(4, 0, 1, b"")), {PROTOCOL_ERROR}),
        ("SETTINGS ACK with a payload", frames(raw_frame(4, 1, 0, bytes(6))), {FRAME_SIZE_ERROR}),
        ("ENABLE_PUSH of 2", frames(setting(2, 2)), {PROTOCOL_ERROR}),
        ("a window setting past 2^31-1", frames(setting(4, 2**31)), {FLOW_CONTROL_ERROR}),
        ("a frame size below 16,384", frames(setting(5, 1)), {PROTOCOL_ERROR}),
        ("a frame size past 2^24-1", frames(setting(5, 2**24)), {PROTOCOL_ERROR}),
        ("RST_STREAM of 3 bytes", after_begin(raw_frame(3, 0, 1, bytes(3))), {FRAME_SIZE_ERROR}),
        ("GOAWAY of 7 bytes", frames(raw_frame(7, 0, 0, bytes(7))), {FRAME_SIZE_ERROR}),
        ("GOAWAY on a stream", after_begin(raw_frame(7, 0, 1, bytes(8))), {PROTOCOL_ERROR}),
        ("CONTINUATION without HEADERS", frames(raw_frame(9, 4, 1, b"")), {PROTOCOL_ERROR}),
        ("PUSH_PROMISE from a client", after_begin(raw_frame(5, 4, 1, bytes(4))), {PROTOCOL_ERROR}),
        ("a header block of noise", frames(raw_frame(1, 4, 1, b"\xff" * 8)), {COMPRESSION_ERROR}),
        (
            "padding longer than its frame",
            after_begin(raw_frame(0, 8, 1, b"\x09x")),
            {PROTOCOL_ERROR},
        ),
        ("padded HEADERS past their end", frames(raw_frame(1, 12, 1, b"\x09x")), {PROTOCOL_ERROR}),
    ):
        yield ConnectionKind(name=name, send=send, goaway=set(goaway))
    yield ConnectionKind(
        name="HEADERS on an even stream",
        send=lambda raw: raw_frame(1, 4, 2, block(raw)),
        goaway={PROTOCOL_ERROR},
    )
    yield ConnectionKind(
        name="HEADERS on stream 0",
        send=lambda raw: raw_frame(1, 4, 0, block(raw)),
        goaway={PROTOCOL_ERROR},
    )
    yield ConnectionKind(
        name="HEADERS on a stream that its peer has closed",
        send=lambda raw: raw_frame(1, 5, 1, block(raw)) + raw_frame(1, 4, 1, block(raw)),
        goaway={STREAM_CLOSED},
    )
    yield ConnectionKind(
        name="another frame inside a header block",
        send=lambda raw: raw_frame(1, 0, 1, block(raw)) + raw_frame(6, 0, 0, bytes(8)),
        goaway={PROTOCOL_ERROR},
    )
    yield ConnectionKind(
        name="CONTINUATION of another stream",
        send=lambda raw: raw_frame(1, 0, 1, block(raw)) + raw_frame(9, 4, 3, b""),
        goaway={PROTOCOL_ERROR},
    )
    yield ConnectionKind(
        name="a frame longer than the server allows",
        send=lambda raw: begun(raw) + raw_frame(0, 0, 1, bytes(100), length=2**24 - 1),
        goaway={FRAME_SIZE_ERROR},
    )
    for name, sent in {
        "HTTP/1.1": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "a preface with one byte wrong": PREFACE[:-1] + b"x" + bytes(40),
        "a preface and no SETTINGS": PREFACE + raw_frame(6, 0, 0, bytes(8)),
        "noise": bytes(range(256)),
    }.items():
        yield ConnectionKind(
            name=f"instead of a preface: {name}", send=frames(sent), goaway=set(), handshake=False
        )


def setting(number: int, value: int) -> bytes:
    return raw_frame(4, 0, 0, struct.pack(">HI", number, value))


CALL_KINDS = [*framings(), *grpc_headers(), *http2_headers()]
CONNECTION_KINDS = [*connections()]
