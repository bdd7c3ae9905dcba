"""Peers that break HTTP/2's rules or its manners. Each loses its own connection or call at most: a
client on another connection, which asks all the while, sees no error."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    GoAwayFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from support import infer, raw_http2
from support.raw_http2 import RawHttp2

SEED = 20261121
DEADLINE_EXCEEDED = 4
ENHANCE_YOUR_CALM = 11
# What nghttp2 itself says where resets come too fast.
INTERNAL_ERROR = 2
# More than any token bucket of the server holds.
FLOOD = 40_000
FLOOD_PIECE = 500
IDLE_CONNECTIONS = 2000
IDLE_AT_ONCE = 200
# Reply bytes that neither the kernel's buffers nor the server's own take in.
LARGE_ROWS = 1_000_000


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any) -> Any:
    """Impatient, so that the tests are short."""
    flags = ["--header-timeout-ms", "300", "--body-timeout-ms", "300"]
    flags += ["--write-stall-timeout-ms", "500", "--io-threads", "2"]
    return start_shared_server("mlp", "identity_fp32", flags=flags)


@pytest.fixture
def address(
    shared_server: Any, bystander: Any, expect_good_answer: Callable[[str], None]
) -> Iterator[str]:
    """Two bystanders, since one may share the abuser's event loop and one may not."""
    with bystander(shared_server.address), bystander(shared_server.address):
        yield shared_server.address
    expect_good_answer(shared_server.address)
    assert shared_server.process.poll() is None
    print(shared_server.log)


def mlp_message() -> bytes:
    x = np.ones((1, 64), np.float32)
    return infer.make_request("mlp", {"x": x}).SerializeToString()


# --- slow ---


@pytest.mark.parametrize("sent", [b"", b"P", raw_http2.PREFACE[:-1], raw_http2.PREFACE + b"\0\0"])
def test_slow_preface_is_closed(address: str, sent: bytes) -> None:
    with RawHttp2(address, handshake=False) as raw:
        raw.send(sent)
        raw.wait_until_closed()


def test_slow_header_block_is_closed(address: str) -> None:
    with RawHttp2(address) as raw:
        raw.barrier()
        frame = raw.headers_frame(raw_http2.INFER)
        frame.flags.discard("END_HEADERS")
        raw.send(frame)
        raw.wait_until_closed()
        assert raw.goaways[-1].error_code == ENHANCE_YOUR_CALM


def test_slow_frame_header_is_closed(address: str) -> None:
    with RawHttp2(address) as raw:
        raw.barrier()
        raw.send(raw.headers_frame(raw_http2.INFER).serialize()[:5])
        raw.wait_until_closed()


def test_slow_header_block_byte_by_byte_is_closed(address: str) -> None:
    """Progress does not buy time without end."""
    with RawHttp2(address) as raw:
        frame = raw.headers_frame(raw_http2.INFER, extra=[("x", "y" * 10_000)])
        for byte in frame.serialize():
            # The probe paces the bytes: one for each round trip of somebody else.
            with RawHttp2(address) as pace:
                pace.barrier()
            if not raw.try_send(bytes([byte])):
                break
        raw.wait_until_closed()


@pytest.mark.parametrize("sent", [0, 3, 5, 200])
def test_slow_body_ends_its_call_alone(address: str, sent: int) -> None:
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER)
        whole = raw_http2.message_bytes(mlp_message())
        raw.send(raw.data_frame(stream, whole[:sent], end_stream=False))
        answer = raw.answer(stream)
        assert answer.status == DEADLINE_EXCEEDED
        assert "slowly" in answer.message
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


def test_idle_connection_is_left_alone(address: str) -> None:
    """Only what has been started must be finished: a channel may rest as long as it likes."""
    with RawHttp2(address) as idle, RawHttp2(address) as slow:
        idle.barrier()
        slow.begin(raw_http2.INFER)
        slow.answer(1)  # by then the timeouts have passed
        assert idle.answer(idle.call(raw_http2.INFER, mlp_message())).status == 0


def large_request() -> bytes:
    x = np.zeros((LARGE_ROWS, 3), np.float32)
    return infer.make_request("identity_fp32", {"x": x}).SerializeToString()


def send_large(raw: RawHttp2, message: bytes) -> int:
    """Sends as much as the server grants window for, until all is sent."""
    data = raw_http2.message_bytes(message)
    stream = raw.begin(raw_http2.INFER)
    # The prefix makes the server grant the whole message; it announces frames up to 1 MiB.
    raw.send(raw.data_frame(stream, data[:16384], end_stream=False))
    raw.barrier()
    for start in range(16384, len(data), 1 << 20):
        end = start + (1 << 20)
        raw.send(raw.data_frame(stream, data[start:end], end_stream=end >= len(data)))
    return stream


def test_peer_that_never_reads_its_replies_is_dropped(address: str) -> None:
    with RawHttp2(address, receive_buffer=4096) as raw:
        send_large(raw, large_request())
        # Nothing is read from here on, until the server has given up.
        with RawHttp2(address) as other:
            while raw.try_send(PingFrame(0)):
                other.barrier()
    assert raw.closed


def test_peer_that_grants_no_window_loses_its_call_alone(address: str) -> None:
    """It reads, but never lets the reply grow: the connection stays, the stream goes."""
    with RawHttp2(address, window=10) as raw:
        stream = raw.call(raw_http2.INFER, mlp_message())
        answer = raw.answer(stream)
        assert answer.reset_code is not None
        assert answer.status is None
        raw.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535}))
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


# --- floods ---


def flood(raw: RawHttp2, make: Callable[[int], bytes], frames: int = FLOOD) -> None:
    """Sends until the server has had enough, or everything is sent."""
    for start in range(0, frames, FLOOD_PIECE):
        piece = b"".join(make(i) for i in range(start, start + FLOOD_PIECE))
        if not raw.try_send(piece):
            return


def assert_calmed(raw: RawHttp2) -> None:
    """The connection is over; the GOAWAY may be lost where the server closes with bytes unread."""
    raw.wait_until_closed()
    codes = {goaway.error_code for goaway in raw.goaways}
    assert codes <= {ENHANCE_YOUR_CALM, INTERNAL_ERROR}


def test_flood_of_resets_does_not_disturb_others(address: str) -> None:
    """Opening a call and cancelling it at once is legal, but must not be free of bounds."""
    with RawHttp2(address) as raw:

        def make(_: int) -> bytes:
            headers = raw.headers_frame(raw_http2.INFER)
            data = raw.data_frame(headers.stream_id, raw_http2.message_bytes(mlp_message()))
            reset = RstStreamFrame(headers.stream_id, error_code=raw_http2.CANCEL)
            return bytes(headers.serialize() + data.serialize() + reset.serialize())

        flood(raw, make)
        assert_calmed(raw)


def test_flood_of_streams_stays_within_the_limit(address: str) -> None:
    """More streams than allowed: the rest is refused, those within the limit are answered."""
    with RawHttp2(address) as raw:
        frames = [raw.headers_frame(raw_http2.INFER) for _ in range(1500)]
        raw.send(*frames)
        streams = [frame.stream_id for frame in frames]
        raw.wait(lambda: all(raw.answers[stream].done for stream in streams[1024:]))
        assert {raw.answers[stream].reset_code for stream in streams[1024:]} == {7}
        raw.wait(lambda: all(raw.answers[stream].done for stream in streams))  # too slow, then
        assert {raw.answers[stream].status for stream in streams[:1024]} == {DEADLINE_EXCEEDED}


@pytest.mark.parametrize(
    "make",
    [
        lambda _: PingFrame(0).serialize(),
        lambda _: SettingsFrame(0).serialize(),
        lambda i: PriorityFrame(2 * i + 1).serialize(),
    ],
    ids=["PING", "SETTINGS", "PRIORITY"],
)
def test_flood_of_control_frames_is_ended(address: str, make: Callable[[int], bytes]) -> None:
    with RawHttp2(address) as raw:
        flood(raw, make)
        assert_calmed(raw)


def test_flood_of_window_updates_is_worked_off(address: str) -> None:
    """A client that reads in small pieces sends many, and none asks for an answer."""
    with RawHttp2(address, window=65535) as raw:
        flood(raw, lambda _: WindowUpdateFrame(0, window_increment=1).serialize())
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


def test_flood_of_empty_data_is_ended(address: str) -> None:
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER)
        flood(raw, lambda _: raw.data_frame(stream, b"", end_stream=False).serialize())
        assert_calmed(raw)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 10, bytes(16_000)])
def test_flood_of_continuations_is_ended(address: str, payload: bytes) -> None:
    with RawHttp2(address) as raw:
        frame = raw.headers_frame(raw_http2.INFER)
        frame.flags.discard("END_HEADERS")
        raw.send(frame)
        continuation = ContinuationFrame(frame.stream_id, data=payload).serialize()
        flood(raw, lambda _: continuation, frames=5000)
        raw.wait_until_closed()


def test_header_list_too_large_is_refused(address: str) -> None:
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER, extra=[("x", "y" * 17_000)])
        answer = raw.answer(stream)
        assert answer.reset_code == ENHANCE_YOUR_CALM
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


def test_header_fields_too_many_are_refused(address: str) -> None:
    """One indexed field is a byte: a small block may decode into a very long list."""
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER, extra=[("x", "y")] * 200)
        assert raw.answer(stream).reset_code == ENHANCE_YOUR_CALM
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


# --- nonsense ---


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
        bytes(10_000),
        raw_http2.PREFACE + PingFrame(0).serialize(),
        raw_http2.PREFACE + bytes(1000),
    ],
    ids=["HTTP/1.1", "TLS", "last byte", "zeros", "PING before SETTINGS", "zeros after preface"],
)
def test_nonsense_instead_of_a_handshake_is_closed(address: str, sent: bytes) -> None:
    with RawHttp2(address, handshake=False) as raw:
        raw.try_send(sent)
        raw.wait_until_closed()


def raw_frame(type_number: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([type_number, flags])
    return head + stream.to_bytes(4, "big") + payload


@pytest.mark.parametrize(
    "frame",
    [
        raw_frame(0, 0, 0, b"x"),
        raw_frame(0, 0, 1001, b"x"),
        raw_frame(1, 4, 2, b""),
        raw_frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        raw_frame(3, 0, 1, b"\0"),
        raw_frame(4, 0, 0, bytes(5)),
        raw_frame(4, 1, 0, bytes(6)),
        raw_frame(5, 4, 1, bytes(4)),
        raw_frame(6, 0, 0, bytes(7)),
        raw_frame(8, 0, 0, bytes(4)),
        raw_frame(9, 4, 1, b""),
        raw_frame(0, 8, 1, b"\xff"),
    ],
    ids=[
        *("DATA on the connection", "DATA on an idle stream", "HEADERS on an even stream"),
        *("broken HPACK", "short RST_STREAM", "odd SETTINGS", "SETTINGS ACK with payload"),
        *("PUSH_PROMISE", "short PING", "zero WINDOW_UPDATE", "lone CONTINUATION", "padding"),
    ],
)
def test_frame_against_the_rules_ends_its_connection(address: str, frame: bytes) -> None:
    with RawHttp2(address) as raw:
        raw.try_send(frame)
        raw.wait_until_closed()


def test_frame_of_an_unknown_type_is_ignored(address: str) -> None:
    with RawHttp2(address) as raw:
        raw.send(raw_frame(0xFA, 0xFF, 0, bytes(100)))
        assert raw.answer(raw.call(raw_http2.INFER, mlp_message())).status == 0


def test_random_frames_never_end_the_server(address: str) -> None:
    choose = random.Random(SEED)
    for _ in range(200):
        with RawHttp2(address) as raw:
            for _ in range(20):
                payload = choose.randbytes(choose.choice([0, 1, 4, 6, 8, 50]))
                frame = raw_frame(
                    choose.randrange(11), choose.randrange(256), choose.randrange(8), payload
                )
                if not raw.try_send(frame):
                    break


def test_random_bytes_never_end_the_server(address: str) -> None:
    choose = random.Random(SEED)
    for _ in range(200):
        with RawHttp2(address) as raw:
            raw.try_send(choose.randbytes(choose.randrange(1, 3000)))


# --- connections that come, rest and go ---


def test_half_closed_connection_is_let_go(address: str) -> None:
    """A peer that will send nothing more is gone, for gRPC; its calls end with it."""
    with RawHttp2(address) as raw:
        raw.barrier()
        raw.begin(raw_http2.INFER)
        raw.socket.shutdown(socket.SHUT_WR)
        raw.wait_until_closed()


def test_goaway_of_the_client_lets_its_calls_finish(address: str) -> None:
    with RawHttp2(address) as raw:
        stream = raw.begin(raw_http2.INFER)
        raw.send(GoAwayFrame(0, last_stream_id=0, error_code=0))
        raw.send(raw.data_frame(stream, raw_http2.message_bytes(mlp_message())))
        assert raw.answer(stream).status == 0
        raw.wait_until_closed()


def test_connections_that_vanish_inside_a_call_leave_no_trace(address: str) -> None:
    for size in (1, 9, 50, 100, 300):
        for _ in range(20):
            with RawHttp2(address, handshake=False) as raw:
                headers = raw.headers_frame(raw_http2.INFER)
                data = raw.data_frame(headers.stream_id, raw_http2.message_bytes(mlp_message()))
                settings = SettingsFrame(0).serialize()
                raw.send(
                    (raw_http2.PREFACE + settings + headers.serialize() + data.serialize())[:size]
                )


def test_thousands_of_idle_connections_come_and_go(address: str) -> None:
    for start in range(0, IDLE_CONNECTIONS, IDLE_AT_ONCE):
        with ExitStack() as stack:
            # Half of them say hello first.
            raws = [
                stack.enter_context(RawHttp2(address, handshake=(start + i) % 2 == 0))
                for i in range(IDLE_AT_ONCE)
            ]
            raws[0].barrier()
