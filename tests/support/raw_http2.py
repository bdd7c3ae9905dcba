"""An HTTP/2 client that breaks the rules where a test wants it to: frames by hyperframe, header
blocks by hpack, everything else by hand. Answers the server's SETTINGS and PING, grants window only
where told to, and never raises because of what the server sends.

    with RawHttp2(server.address) as raw:
        stream = raw.call(INFER, message)
        answer = raw.answer(stream)         # waits; answer.status, answer.message, answer.data
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

# Nothing waits this long where all is well.
DEADLINE_S = 60.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = 8
INFER = "/inference.GRPCInferenceService/ModelInfer"
LIVE = "/inference.GRPCInferenceService/ServerLive"
HEALTH = "/grpc.health.v1.Health/Check"
_FRAME_HEADER_SIZE = 9
_WINDOW_MAX = 2**31 - 1
_DEFAULT_WINDOW = 65535


def grpc_headers(path: str, content_type: str = "application/grpc") -> list[tuple[str, str]]:
    """The fields of a call as any client sends them."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("te", "trailers"),
        ("content-type", content_type),
    ]


def message_bytes(message: bytes, *, length: int | None = None, compressed: bool = False) -> bytes:
    """A gRPC message with its prefix, which may lie about the length."""
    return struct.pack(">BI", compressed, len(message) if length is None else length) + message


@dataclass(kw_only=True)
class Answer:
    """What came back on one stream so far."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset_code: int | None = None

    @property
    def done(self) -> bool:
        return self.ended or self.reset_code is not None

    @property
    def status(self) -> int | None:
        """grpc-status; None where there is none."""
        text = self.headers.get("grpc-status")
        return None if text is None else int(text)

    @property
    def message(self) -> str:
        return self.headers.get("grpc-message", "")

    @property
    def data(self) -> bytes:
        """The one message of the body."""
        compressed, length = struct.unpack(">BI", self.body[:5])
        assert not compressed
        assert length == len(self.body) - 5
        return self.body[5:]


class RawHttp2:
    """One connection. `handshake` says whether preface and SETTINGS are sent at once."""

    def __init__(
        self, address: str, *, handshake: bool = True, window: int = _WINDOW_MAX, **options: int
    ) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        if "receive_buffer" in options:  # before connect, or TCP's window is agreed already
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect((host, int(port)))
        self.encoder = hpack.Encoder()
        self.answers: dict[int, Answer] = {}
        self.goaways: list[GoAwayFrame] = []
        self.pings_answered = 0
        self.closed = False  # by the server
        self._decoder = hpack.Decoder()
        self._received = b""
        self._next_stream = 1
        if handshake:
            settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: window})
            self.send(PREFACE, settings)
            if window > _DEFAULT_WINDOW:
                increment = window - _DEFAULT_WINDOW
                self.send(WindowUpdateFrame(0, window_increment=increment))

    def __enter__(self) -> RawHttp2:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    # --- sending ---

    def send(self, *pieces: bytes | Frame) -> None:
        data = b"".join(p if isinstance(p, bytes) else p.serialize() for p in pieces)
        self.socket.sendall(data)

    def try_send(self, *pieces: bytes | Frame) -> bool:
        """False where the server has closed the connection."""
        try:
            self.send(*pieces)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True
        return not self.closed

    def headers_frame(
        self,
        path: str,
        *,
        extra: Iterable[tuple[str, str]] = (),
        content_type: str = "application/grpc",
        end_stream: bool = False,
        fields: Iterable[tuple[str, str]] | None = None,
    ) -> HeadersFrame:
        """HEADERS of a new call; `fields` stand for all that the others say."""
        if fields is None:
            fields = [*grpc_headers(path, content_type), *extra]
        frame = HeadersFrame(self._next_stream, data=self.encoder.encode(fields))
        frame.flags.add("END_HEADERS")
        if end_stream:
            frame.flags.add("END_STREAM")
        self.answers[frame.stream_id] = Answer()
        self._next_stream += 2
        return frame

    def begin(self, path: str, **options: Any) -> int:
        """Sends HEADERS and leaves the stream open."""
        frame = self.headers_frame(path, **options)
        self.send(frame)
        return int(frame.stream_id)

    def call(self, path: str, message: bytes, **options: Any) -> int:
        """A whole unary call; the message fits one frame."""
        frame = self.headers_frame(path, **options)
        self.send(frame, self.data_frame(frame.stream_id, message_bytes(message)))
        return int(frame.stream_id)

    @staticmethod
    def data_frame(stream: int, data: bytes, *, end_stream: bool = True) -> DataFrame:
        frame = DataFrame(stream, data=data)
        if end_stream:
            frame.flags.add("END_STREAM")
        return frame

    def reset(self, stream: int) -> None:
        self.send(RstStreamFrame(stream, error_code=CANCEL))

    # --- receiving ---

    def answer(self, stream: int) -> Answer:
        """Waits until the stream has ended."""
        self.wait(lambda: self.answers[stream].done)
        return self.answers[stream]

    def barrier(self) -> None:
        """Waits until the server has worked off, and answered, all that was sent before."""
        for _ in range(2):
            self.answer(self.call(LIVE, b""))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Receives until the condition holds; fails at the deadline or if the server closes."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if self.closed:
                raise AssertionError(f"the server closed the connection; GOAWAY: {self.goaways}")
            self._receive(deadline)

    def wait_until_closed(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not self.closed:
            self._receive(deadline)

    def _receive(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(f"nothing of what was awaited came within {DEADLINE_S} s")
        self.socket.settimeout(left)
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        except TimeoutError:
            return
        finally:
            self.socket.settimeout(DEADLINE_S)
        self.closed = not piece
        self._received += piece
        while len(self._received) >= _FRAME_HEADER_SIZE:
            frame, length = Frame.parse_frame_header(memoryview(self._received)[:9])
            end = _FRAME_HEADER_SIZE + length
            if len(self._received) < end:
                return
            frame.parse_body(memoryview(self._received)[_FRAME_HEADER_SIZE:end])
            self._received = self._received[end:]
            self._on_frame(frame)

    def _on_frame(self, frame: Frame) -> None:
        answer = self.answers.get(frame.stream_id, Answer())
        if isinstance(frame, HeadersFrame):
            answer.headers.update(
                (_text(name), _text(value)) for name, value in self._decoder.decode(frame.data)
            )
        elif isinstance(frame, DataFrame):
            answer.body += frame.data
        elif isinstance(frame, RstStreamFrame):
            answer.reset_code = frame.error_code
        elif isinstance(frame, GoAwayFrame):
            self.goaways.append(frame)
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.try_send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" in frame.flags:
            self.pings_answered += 1
        elif isinstance(frame, PingFrame):
            self.try_send(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        if "END_STREAM" in frame.flags:
            answer.ended = True


def send_at_once(raw: RawHttp2, requests: Iterable[Any]) -> list[int]:
    """ModelInfer requests in one write. Their streams, in the same order."""
    frames: list[bytes | Frame] = []
    streams = []
    for request in requests:
        headers = raw.headers_frame(INFER)
        streams.append(headers.stream_id)
        data = message_bytes(request.SerializeToString())
        frames += [headers, raw.data_frame(headers.stream_id, data)]
    raw.send(*frames)
    return streams


def ask_at_once(raw: RawHttp2, requests: Iterable[Any]) -> list[Answer]:
    """ModelInfer requests in one write: one turn of the server's loop takes them all, and batches
    hold as many of them as they can. The answers, in the same order."""
    return [raw.answer(stream) for stream in send_at_once(raw, requests)]


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
