"""Damaged and unusual requests by the hundred. What each kind of bad request deserves stands in the
tables of tests/conformance/bad_requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support import infer, protos, raw_http2
from support.raw_http2 import RawHttp2

SEED = 20261121
FUZZ_ROUNDS = 300
MAX_MESSAGE_BYTES = 4096

OK = 0
INVALID_ARGUMENT = 3
NOT_FOUND = 5
UNIMPLEMENTED = 12


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any) -> Any:
    flags = ["--max-message-bytes", str(MAX_MESSAGE_BYTES)]
    return start_shared_server("mlp", "two_by_two", flags=flags)


@pytest.fixture
def address(
    shared_server: Any, expect_good_answer: Callable[[str], None], test_models: Any
) -> Iterator[str]:
    """Of a server that answers before and after the test."""
    yield shared_server.address
    expect_good_answer(shared_server.address)
    assert shared_server.process.poll() is None
    print(shared_server.log)


@pytest.fixture
def raw(address: str) -> Iterator[RawHttp2]:
    with RawHttp2(address) as connection:
        yield connection


def x_of(rows: int = 1) -> infer.Arrays:
    return {"x": np.ones((rows, 64), np.float32)}


def a_and_b() -> infer.Arrays:
    value = np.ones((2, 4), np.float32)
    return {"a": value, "b": value}


def test_infer_random_bytes_never_end_the_server(address: str, raw: RawHttp2) -> None:
    random_bytes = random.Random(SEED)
    for _ in range(FUZZ_ROUNDS):
        message = random_bytes.randbytes(random_bytes.randrange(200))
        answer = raw.answer(raw.call(raw_http2.INFER, message))
        assert answer.status in (INVALID_ARGUMENT, NOT_FOUND), (message, answer)


def test_infer_damaged_message_is_answered(address: str, raw: RawHttp2) -> None:
    """One flipped byte may leave a good request, but never anything but an answer."""
    damage = random.Random(SEED)
    whole = infer.make_request("two_by_two", a_and_b(), id="12").SerializeToString()
    for _ in range(FUZZ_ROUNDS):
        message = bytearray(whole)
        message[damage.randrange(len(message))] = damage.randrange(256)
        answer = raw.answer(raw.call(raw_http2.INFER, bytes(message)))
        codes = (OK, INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED)
        assert answer.status in codes, (bytes(message), answer)


def test_infer_message_cut_anywhere_is_refused(address: str, raw: RawHttp2) -> None:
    whole = infer.make_request("mlp", x_of()).SerializeToString()
    for size in range(1, len(whole)):
        answer = raw.answer(raw.call(raw_http2.INFER, whole[:size]))
        assert answer.status in (INVALID_ARGUMENT, NOT_FOUND), size


@pytest.mark.parametrize("content_type", ["application/grpc+proto", "application/grpc;a=b"])
def test_call_content_types_of_grpc_are_served(
    address: str, raw: RawHttp2, content_type: str
) -> None:
    message = infer.make_request("mlp", x_of()).SerializeToString()
    assert raw.answer(raw.call(raw_http2.INFER, message, content_type=content_type)).status == OK


def test_call_methods_of_later_versions_are_unimplemented(address: str, raw: RawHttp2) -> None:
    offered = set(protos.generator().OFFERED[protos.generator().INFERENCE_FILE])
    others = [method.name for method in protos.methods() if method.name not in offered]
    assert "ModelStreamInfer" in others
    for name in others:
        answer = raw.answer(raw.call(f"/{protos.INFERENCE}/{name}", b""))
        assert answer.status == UNIMPLEMENTED, answer
        assert name in answer.message


def test_call_compressed_is_unimplemented_and_names_identity(address: str, raw: RawHttp2) -> None:
    stream = raw.begin(raw_http2.INFER, extra=[("grpc-encoding", "gzip")])
    raw.send(raw.data_frame(stream, raw_http2.message_bytes(b"gzip", compressed=True)))
    answer = raw.answer(stream)
    assert answer.status == UNIMPLEMENTED, answer
    assert answer.headers["grpc-accept-encoding"] == "identity"


def test_call_message_of_exactly_the_limit_is_read(address: str, raw: RawHttp2) -> None:
    request = infer.make_request("mlp", x_of(15))
    # The id takes one byte of tag and two of length.
    request.id = "i" * (MAX_MESSAGE_BYTES - request.ByteSize() - 3)
    assert request.ByteSize() == MAX_MESSAGE_BYTES
    assert raw.answer(raw.call(raw_http2.INFER, request.SerializeToString())).status == OK
