"""A client connection that takes in its answers a few bytes at a time. One greenlet at a time.

The little of HTTP/2 that this needs, by hand: no client library lets its user grant so little
window. Reads DATA and the end of streams; of headers it knows only that they came.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field

import gevent

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_SETTING_INITIAL_WINDOW = 4
_HEADER_SIZE = 9
_CONNECTION_WINDOW_GRANT = 1 << 20


@dataclass(slots=True)
class _Stream:
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    ungranted: int = 0  # bytes received that no window was granted for yet


class SlowConnection:
    """Raises OSError or ValueError where the server ends or breaks the exchange."""

    def __init__(self, address: str, window_bytes: int, *, timeout_s: float = 5.0) -> None:
        host, _, port = address.rpartition(":")
        self._authority = address
        self._window_bytes = window_bytes
        self._socket = socket.create_connection((host, int(port)), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._next_stream = 1
        self._streams: dict[int, _Stream] = {}
        setting = struct.pack(">HI", _SETTING_INITIAL_WINDOW, window_bytes)
        self._socket.sendall(
            _PREFACE
            + frame(_SETTINGS, 0, 0, setting)
            + frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _CONNECTION_WINDOW_GRANT))
        )

    def close(self) -> None:
        """At once; the server sees a lost connection."""
        self._socket.close()

    def exchange(
        self, path: str, messages: list[bytes], *, pause_s: float, timeout_s: float
    ) -> list[bytes]:
        """Sends the calls at once; returns the one message that answered each, in order."""
        numbers = [self._send_call(path, message) for message in messages]
        deadline_s = time.monotonic() + timeout_s
        while not all(self._streams[number].ended for number in numbers):
            if time.monotonic() > deadline_s:
                raise ValueError(f"no whole answer within {timeout_s:g} s")
            gevent.sleep(pause_s)
            self._grant()
            self._receive(pause_s)
        self._socket.sendall(self._connection_grant(numbers))
        return [message_of(bytes(self._streams.pop(number).body)) for number in numbers]

    def _send_call(self, path: str, message: bytes) -> int:
        number = self._next_stream
        self._next_stream += 2
        self._streams[number] = _Stream()
        block = header_block(
            {
                ":method": "POST",
                ":scheme": "http",
                ":path": path,
                ":authority": self._authority,
                "content-type": "application/grpc",
                "te": "trailers",
            }
        )
        body = struct.pack(">BI", 0, len(message)) + message
        self._socket.sendall(
            frame(_HEADERS, _END_HEADERS, number, block) + frame(_DATA, _END_STREAM, number, body)
        )
        return number

    def _grant(self) -> None:
        """As much window on each open stream as was used up: never more than the first grant."""
        for number, stream in self._streams.items():
            if stream.ungranted and not stream.ended:
                increment = struct.pack(">I", stream.ungranted)
                self._socket.sendall(frame(_WINDOW_UPDATE, 0, number, increment))
                stream.ungranted = 0

    def _connection_grant(self, numbers: list[int]) -> bytes:
        """The connection's window is shared, so it is given back whole."""
        used = sum(len(self._streams[number].body) for number in numbers)
        return frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", used)) if used else b""

    def _receive(self, timeout_s: float) -> None:
        self._socket.settimeout(timeout_s)
        try:
            piece = self._socket.recv(4096)
        except TimeoutError:
            return
        finally:
            self._socket.settimeout(None)
        if not piece:
            raise ValueError("the server closed the connection")
        self._received += piece
        while len(self._received) >= _HEADER_SIZE:
            length = int.from_bytes(self._received[:3], "big")
            end = _HEADER_SIZE + length
            if len(self._received) < end:
                return
            kind, flags, number = struct.unpack(">BBI", self._received[3:_HEADER_SIZE])
            payload, self._received = self._received[_HEADER_SIZE:end], self._received[end:]
            self._on_frame(kind, flags, number, payload)

    def _on_frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self._socket.sendall(frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._socket.sendall(frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY:
            raise ValueError("the server sent GOAWAY")
        elif kind == _RST_STREAM:
            raise ValueError(f"the server reset a stream, code {int.from_bytes(payload, 'big')}")
        elif kind in (_DATA, _HEADERS) and (stream := self._streams.get(number)) is not None:
            if kind == _DATA:
                stream.body += payload
                stream.ungranted += len(payload)
                if stream.ungranted > self._window_bytes:
                    raise ValueError("the server sent more than its window")
            stream.ended = stream.ended or bool(flags & _END_STREAM)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(headers: dict[str, str]) -> bytes:
    """HPACK without tables and without Huffman: names and values below 127 bytes."""
    block = b""
    for name, value in headers.items():
        if max(len(name), len(value)) >= 127:
            raise ValueError(f"header {name!r} is too long")
        block += bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return block


def message_of(body: bytes) -> bytes:
    """The one gRPC message of a body; an error status without one is an empty body."""
    if len(body) < 5 or body[0] != 0 or int.from_bytes(body[1:5], "big") != len(body) - 5:
        raise ValueError(f"no whole gRPC message in {len(body)} bytes")
    return body[5:]
