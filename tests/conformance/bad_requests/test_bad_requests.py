"""Every kind of bad request gets the canonical status and a sentence that says what was wrong, what
was expected and where. The sentence holds no path and nothing of anyone else's request; neighbours
on the same connection and on another one get their answers, bit for bit; nothing stays behind."""

from __future__ import annotations

import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from conformance.bad_requests.kinds import MAX_BATCH_SIZE, MAX_MESSAGE_BYTES, OK, Kind
from conformance.bad_requests.request_kinds import CANARY, NEIGHBOUR, REQUEST_KINDS
from conformance.bad_requests.tensor_kinds import TENSOR_KINDS
from conformance.bad_requests.transport_kinds import (
    CALL_KINDS,
    CONNECTION_KINDS,
    CallKind,
    ConnectionKind,
)
from support import infer, raw_http2
from support.counting import CountedServer
from support.raw_http2 import Answer, RawHttp2

MESSAGE_KINDS = [*TENSOR_KINDS, *REQUEST_KINDS]
KINDS_MIN = 200  # issue 3's figure; the tables hold more
TIMEOUT_S = 60.0
MESSAGE_BYTES_MAX = 1024
TYPES = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "fp16")
TYPES += ("bf16", "fp32", "fp64", "bytes")
MODELS = [*(f"identity_{kind}" for kind in TYPES), "two_by_two", "gather", "free_inner"]
MODELS += ["fixed_batch"]
# A file, an address, a source line: what strangers must not read in a message.
LEAK = re.compile(
    r"\.onnx|\.(cc|h|py)\b|0x[0-9a-f]{6}|/(tmp|work|home|usr|root|proc)\b|onnxruntime"
)


@pytest.fixture(scope="module")
def server(test_models: Path) -> Iterator[CountedServer]:
    """One process for all kinds: alive to the end, and then with nothing live in it."""
    running = CountedServer(
        *(test_models / f"{name}.onnx" for name in MODELS),
        server={"max_message_bytes": MAX_MESSAGE_BYTES},
        model={"max_batch_size": MAX_BATCH_SIZE},
    )
    try:
        yield running
        counts = running.wait_until_at_rest()
        assert counts["accepted"] == counts["finished"] > len(MESSAGE_KINDS)
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture(scope="module")
def good_answer(server: CountedServer) -> bytes:
    """What NEIGHBOUR deserves: its own strings back."""
    with RawHttp2(server.address) as raw:
        answer = raw.answer(raw.call(raw_http2.INFER, NEIGHBOUR))
    response = infer.parse_response(answer.data)
    assert response.id == CANARY.decode()
    assert CANARY in response.raw_output_contents[0]
    return answer.data


@pytest.fixture(scope="module")
def healthy(server: CountedServer, good_answer: bytes) -> Iterator[None]:
    """A client of grpcio's that asks all the while on a connection of its own."""
    stop = threading.Event()
    problems: list[object] = []

    def ask() -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.address, options=options) as channel:
            call = channel.unary_unary(raw_http2.INFER)
            while not stop.wait(0.001) and not problems:
                try:
                    if call(NEIGHBOUR, timeout=TIMEOUT_S) != good_answer:
                        problems.append("a wrong answer")
                except grpc.RpcError as error:
                    problems.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    stop.set()
    thread.join()
    assert problems == []


@pytest.fixture(scope="module")
def raw(server: CountedServer, healthy: None) -> Iterator[RawHttp2]:
    """The connection that bad calls share with good ones, from the first kind to the last."""
    with RawHttp2(server.address) as connection:
        yield connection


@pytest.fixture(scope="module")
def channel(server: CountedServer, healthy: None) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as made:
        yield made


def names(kinds: list[Any]) -> Callable[[Any], Any]:
    unique = {kind.name for kind in kinds}
    assert len(unique) == len(kinds), "two kinds of one name"
    return lambda kind: kind.name


def call_frames(
    raw: RawHttp2, headers: Any, body: bytes = b"", *, ends: bool = True
) -> tuple[int, list[Any]]:
    """The frames of one call, not sent yet."""
    begin = raw.headers_frame(raw_http2.INFER, fields=headers)
    pieces = [body[start : start + 16384] for start in range(0, len(body), 16384)] or [b""]
    data = [raw.data_frame(begin.stream_id, piece, end_stream=False) for piece in pieces]
    if ends:
        data[-1].flags.add("END_STREAM")
    return begin.stream_id, [begin, *data]


def answer_between_neighbours(
    raw: RawHttp2, good_answer: bytes, headers: Any, body: bytes, *, ends: bool = True
) -> Answer:
    """Good, bad, good, written at once: they come in one turn of the server's loop and may share
    a batch."""
    good = raw_http2.message_bytes(NEIGHBOUR)
    before, frames = call_frames(raw, None, good)
    bad, more = call_frames(raw, headers, body, ends=ends)
    after, last = call_frames(raw, None, good)
    raw.send(*frames, *more, *last)
    answer = raw.answer(bad)
    for stream in (before, after):
        neighbour = raw.answer(stream)
        assert neighbour.status == OK
        assert neighbour.data == good_answer
    return answer


def check_sentence(message: str, says: tuple[str, ...]) -> None:
    for fragment in says:
        assert fragment in message
    assert message.isprintable()
    assert len(message) <= MESSAGE_BYTES_MAX
    assert not LEAK.search(message), message
    assert CANARY.decode() not in message


def test_tables_hold_as_many_kinds_as_promised() -> None:
    kinds = {(kind.path, kind.message) for kind in MESSAGE_KINDS}
    assert len(kinds) == len(MESSAGE_KINDS), "two kinds are the same message"
    assert len(kinds) + len(CALL_KINDS) + len(CONNECTION_KINDS) >= KINDS_MIN


@pytest.mark.parametrize("kind", MESSAGE_KINDS, ids=names(MESSAGE_KINDS))
def test_bad_message_is_refused_and_says_why(
    raw: RawHttp2, channel: grpc.Channel, good_answer: bytes, kind: Kind
) -> None:
    headers = [*raw_http2.grpc_headers(kind.path)]
    body = raw_http2.message_bytes(kind.message)
    answer = answer_between_neighbours(raw, good_answer, headers, body)
    message = urllib.parse.unquote(answer.message)
    assert (answer.status, answer.body) == (kind.code, b""), message
    check_sentence(message, kind.says)
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(kind.path)(kind.message, timeout=TIMEOUT_S)
    assert raised.value.code().value[0] == kind.code
    assert raised.value.details() == message


@pytest.mark.parametrize("kind", CALL_KINDS, ids=names(CALL_KINDS))
def test_bad_call_is_refused_and_says_why(
    raw: RawHttp2, good_answer: bytes, kind: CallKind
) -> None:
    answer = answer_between_neighbours(raw, good_answer, kind.headers, kind.body, ends=kind.ends)
    if kind.reset is not None:
        assert answer.reset_code == kind.reset, answer
    elif kind.http is not None:
        assert answer.headers[":status"] == kind.http, answer
    else:
        assert (answer.status, answer.body) == (kind.code, b""), answer
        check_sentence(urllib.parse.unquote(answer.message), kind.says)
    assert not raw.closed


@pytest.mark.parametrize("kind", CONNECTION_KINDS, ids=names(CONNECTION_KINDS))
def test_bad_connection_ends_alone(
    server: CountedServer, healthy: None, kind: ConnectionKind
) -> None:
    with RawHttp2(server.address, handshake=kind.handshake) as connection:
        assert connection.try_send(kind.send(connection))
        connection.wait_until_closed()
        codes = {goaway.error_code for goaway in connection.goaways}
        texts = b"".join(goaway.additional_data for goaway in connection.goaways)
    assert codes <= kind.goaway or not kind.goaway, codes
    assert bool(codes) == bool(kind.goaway) or not kind.goaway, "it ended without a GOAWAY"
    assert CANARY not in texts
    assert not LEAK.search(texts.decode())
