"""BYTES tensors through the server: any bytes, any length, alone and in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import infer, protos, raw_http2
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
# NUL inside, NUL alone, nothing, bytes that are no UTF-8, more than a string keeps inline.
STRINGS = [b"a\0b", b"\0", b"", b"\xff\xfe\x80", "ключ".encode(), b"x" * 5000]


def strings(*values: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.array(values, object).reshape(shape)


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any) -> Any:
    models = ["identity_bytes", "strings_joined", "strings_and_numbers", "strings_split"]
    return start_shared_server(*models, flags=["--report-batch-size", "--max-batch-size", "64"])


@pytest.fixture
def ask(shared_server: Any, connect: Any) -> Any:
    """ask("strings_joined", {"a": a, "b": b}): the outputs by name."""
    stub = protos.unary_stub(connect(shared_server.address), "ModelInfer")

    def call(model: str, inputs: infer.Arrays) -> infer.Arrays:
        return infer.arrays_of(stub(infer.make_request(model, inputs), timeout=TIMEOUT_S))

    yield call
    print(shared_server.log)


def test_infer_strings_keep_every_byte(ask: Any) -> None:
    x = strings(*STRINGS, shape=(2, 3))
    y = ask("identity_bytes", {"x": x})["y"]
    assert y.shape == (2, 3)
    assert list(y.flat) == STRINGS


def test_infer_rank_one_strings_are_a_batch(ask: Any) -> None:
    a, b = strings(*STRINGS, shape=(6,)), strings(*reversed(STRINGS), shape=(6,))
    joined = ask("strings_joined", {"a": a, "b": b})["joined"]
    assert list(joined) == [left + right for left, right in zip(a, b, strict=True)]


def test_infer_strings_and_numbers_beside_each_other(ask: Any) -> None:
    answer = ask(
        "strings_and_numbers",
        {
            "text": strings(b"1.5", b"-2e3", shape=(2, 1)),
            "number": np.array([[7], [-(2**63)]], np.int64),
        },
    )
    assert answer["parsed"].tolist() == [[1.5], [-2000.0]]
    assert answer["printed"].tolist() == [[b"7"], [b"-9223372036854775808"]]


def test_infer_strings_of_many_requests_share_runs_and_part_again(shared_server: Any) -> None:
    """Every request has rows of other lengths than its neighbours."""
    inputs = []
    for i in range(60):
        rows = 1 + i % 3
        words = [bytes([i]) * ((7 * i + j) % 40) for j in range(3 * rows)]
        inputs.append(strings(*words, shape=(rows, 3)))
    batch_sizes = []
    for x, response in zip(inputs, burst(shared_server, "identity_bytes", inputs), strict=True):
        assert infer.arrays_of(response)["y"].tolist() == x.tolist()
        batch_sizes.append(response.parameters["penstock_batch_size"].int64_param)
    # Sizes above 3 are requests that ran together; without any, nothing was tested here.
    assert max(batch_sizes) > 3, batch_sizes


def test_infer_answers_that_depend_on_neighbours_are_computed_alone(shared_server: Any) -> None:
    """StringSplit pads to the longest row, so the shape of an answer would be its neighbours'."""
    texts = [b"one", b"one two three", b"", b"one two"] * 3
    responses = burst(shared_server, "strings_split", [strings(t, shape=(1,)) for t in texts])
    for text, response in zip(texts, responses, strict=True):
        answer = infer.arrays_of(response)
        assert answer["words"].tolist() == [text.split()]
        assert answer["count"].tolist() == [len(text.split())]


def burst(server: Any, model: str, inputs: list[NDArray[Any]]) -> list[Any]:
    """One request for each input, all in one write, so that one read brings many."""
    with RawHttp2(server.address) as raw:
        frames: list[Any] = []
        for x in inputs:
            request = infer.make_request(model, {"x": x}).SerializeToString()
            headers = raw.headers_frame(raw_http2.INFER)
            frames += [headers, raw.data_frame(headers.stream_id, raw_http2.message_bytes(request))]
        raw.send(*frames)
        answers = [raw.answer(frame.stream_id) for frame in frames[::2]]
    assert [answer.status for answer in answers] == [0] * len(inputs), answers
    return [infer.parse_response(answer.data) for answer in answers]
