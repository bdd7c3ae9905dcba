"""The hand-made HTTP/2 of the slow reader, against hyperframe and hpack."""

from __future__ import annotations

import hpack
import pytest
from hyperframe.frame import Frame, WindowUpdateFrame

from loadtests.slow_connection import frame, header_block, message_of


def test_frame_is_what_hyperframe_reads() -> None:
    data = frame(8, 0, 5, b"\x00\x00\x00\x07")
    read, length = Frame.parse_frame_header(memoryview(data[:9]))
    read.parse_body(memoryview(data[9 : 9 + length]))
    assert isinstance(read, WindowUpdateFrame)
    assert (read.stream_id, read.window_increment) == (5, 7)


def test_header_block_is_what_hpack_reads() -> None:
    headers = {":method": "POST", "te": "trailers"}
    assert dict(hpack.Decoder().decode(header_block(headers))) == headers


def test_header_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        header_block({"x": "y" * 127})


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0\2a", b"\1\0\0\0\1a", b"\0\0\0\0\1ab"])
def test_message_of_a_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no whole gRPC message"):
        message_of(body)


def test_message_of_takes_the_prefix_off() -> None:
    assert message_of(b"\0\0\0\0\2ab") == b"ab"
