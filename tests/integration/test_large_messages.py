"""Messages of 602 KB, the size of an image in FP32, from peers that take their time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import infer, raw_http2
from support.raw_http2 import RawHttp2

ROWS = 50_176  # of three floats: 602,112 bytes, as 3 x 224 x 224
PIECE = 16_384  # bytes: a frame that needs nobody's leave


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any) -> Any:
    """One loop, so that whoever is held up shows."""
    return start_shared_server("mlp", "identity_fp32", flags=["--io-threads", "1"])


def test_slow_sender_of_a_large_message_holds_up_nobody(shared_server: Any) -> None:
    x = np.random.default_rng(1).standard_normal((ROWS, 3), dtype=np.float32)
    large = raw_http2.message_bytes(
        infer.make_request("identity_fp32", {"x": x}).SerializeToString()
    )
    small = infer.make_request("mlp", {"x": np.ones((1, 64), np.float32)}).SerializeToString()
    with RawHttp2(shared_server.address) as slow, RawHttp2(shared_server.address) as other:
        stream = slow.begin(raw_http2.INFER)
        for start in range(0, len(large), PIECE):
            last = start + PIECE >= len(large)
            piece = slow.data_frame(stream, large[start : start + PIECE], end_stream=last)
            # Half a frame is sent as well: its end may be long in coming, too.
            data = piece.serialize()
            slow.send(data[: len(data) // 2])
            assert other.answer(other.call(raw_http2.INFER, small)).status == 0
            slow.send(data[len(data) // 2 :])
            # Another stream of the slow connection.
            assert slow.answer(slow.call(raw_http2.INFER, small)).status == 0
        answer = slow.answer(stream)
    assert answer.status == 0
    assert answer.data.endswith(x.tobytes())
