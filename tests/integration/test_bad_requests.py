"""What is wrong with a request comes back as a canonical status that says what was wrong, what was
expected and where; the server goes on, and no message holds a path."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from support import infer, protos, raw_http2
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
SEED = 20261121
FUZZ_ROUNDS = 300
MAX_MESSAGE_BYTES = 4096
MAX_BATCH_SIZE = 16

OK = 0
INVALID_ARGUMENT = 3
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
UNIMPLEMENTED = 12
INTERNAL = 13


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any) -> Any:
    flags = ["--max-message-bytes", str(MAX_MESSAGE_BYTES), "--max-batch-size", str(MAX_BATCH_SIZE)]
    return start_shared_server("mlp", "two_by_two", "gather", "identity_bytes", flags=flags)


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


def assert_refused(code: int, message: str, expected_code: int, *fragments: str) -> None:
    assert code == expected_code, message
    for fragment in fragments:
        assert fragment in message
    # No file, no address, no stack: this goes to strangers.
    assert not re.search(r"\.onnx|\.cc\b|\.h\b|0x[0-9a-f]{6}|/(tmp|work|home|usr|root)\b", message)


def infer_error(address: str, connect: Any, request: Any) -> tuple[int, str]:
    call = protos.unary_stub(connect(address), "ModelInfer")
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=TIMEOUT_S)
    return raised.value.code().value[0], raised.value.details()


def x_of(rows: int = 1) -> infer.Arrays:
    return {"x": np.ones((rows, 64), np.float32)}


def a_and_b(**changed: Any) -> infer.Arrays:
    value = np.ones((2, 4), np.float32)
    return {"a": value, "b": value} | changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    request: Callable[[], Any]
    code: int
    says: tuple[str, ...]


def with_shape(shape: list[int], size: int = 256, says: tuple[str, ...] = ("input 'x'",)) -> Case:
    def request() -> Any:
        made = infer.make_request("mlp", x_of())
        made.inputs[0].shape[:] = shape
        made.raw_input_contents[0] = bytes(size)
        return made

    return Case(request=request, code=INVALID_ARGUMENT, says=says)


def changed(change: Callable[[Any], Any], code: int, *says: str) -> Case:
    def request() -> Any:
        made = infer.make_request("two_by_two", a_and_b())
        change(made)
        return made

    return Case(request=request, code=code, says=says)


def from_arrays(model: str, inputs: infer.Arrays, code: int, *says: str, **fields: Any) -> Case:
    return Case(request=lambda: infer.make_request(model, inputs, **fields), code=code, says=says)


def typed(field: str, elements: list[Any], *says: str) -> Case:
    """Typed contents for both inputs, these for `b`."""

    def change(request: Any) -> None:
        request.ClearField("raw_input_contents")
        request.inputs[0].contents.fp32_contents.extend([1.0] * 8)
        getattr(request.inputs[1].contents, field).extend(elements)

    return changed(change, INVALID_ARGUMENT, "input 'b'", "FP32", *says)


def parameter(name: str, kind: str, value: Any, *says: str) -> Case:
    return changed(
        lambda request: setattr(request.parameters[name], kind, value),
        INVALID_ARGUMENT,
        f"parameter '{name}'",
        *says,
    )


def strings(raw: bytes, *says: str) -> Case:
    """Three strings are expected."""

    def request() -> Any:
        made = infer.make_request("identity_bytes", {"x": np.array([[b""] * 3], object)})
        made.raw_input_contents[0] = raw
        return made

    return Case(request=request, code=INVALID_ARGUMENT, says=("input 'x'", "BYTES [1,3]", *says))


FOUR_DOUBLES = np.ones((2, 4), np.float64)
CASES = {
    "unknown model": from_arrays("mlq", x_of(), NOT_FOUND, "model 'mlq'"),
    "no model": from_arrays("", x_of(), NOT_FOUND, "model ''"),
    "model name that is a path": from_arrays("../mlp", x_of(), NOT_FOUND, "'../mlp'"),
    "unknown version": from_arrays(
        "mlp", x_of(), NOT_FOUND, "model 'mlp'", "'2'", "served: 1", model_version="2"
    ),
    "version that is no number": from_arrays(
        "mlp", x_of(), NOT_FOUND, "'latest'", model_version="latest"
    ),
    "unknown input": from_arrays("mlp", {"z": x_of()["x"]}, INVALID_ARGUMENT, "input 'z'", "'x'"),
    "one input too many": from_arrays(
        "two_by_two", a_and_b(c=FOUR_DOUBLES), INVALID_ARGUMENT, "input 'c'", "'a', 'b'"
    ),
    "missing input": from_arrays(
        "two_by_two", {"b": a_and_b()["b"]}, INVALID_ARGUMENT, "input 'a'", "missing", "'a', 'b'"
    ),
    "no input": from_arrays("mlp", {}, INVALID_ARGUMENT, "input 'x'", "missing"),
    "input twice": changed(
        lambda request: setattr(request.inputs[1], "name", "a"),
        INVALID_ARGUMENT,
        "input 'a'",
        "more than once",
    ),
    "wrong dtype": from_arrays(
        "two_by_two", a_and_b(b=FOUR_DOUBLES), INVALID_ARGUMENT, "input 'b'", "'FP64'", "FP32"
    ),
    "dtype of another protocol": from_arrays(
        "mlp", x_of(), INVALID_ARGUMENT, "input 'x'", "'float32'", "FP32", datatype="float32"
    ),
    "no dtype": changed(
        lambda request: setattr(request.inputs[0], "datatype", ""), INVALID_ARGUMENT, "input 'a'"
    ),
    "rows that differ": from_arrays(
        "two_by_two",
        a_and_b(b=np.ones((3, 4), np.float32)),
        INVALID_ARGUMENT,
        "input 'b'",
        "3 rows",
        "input 'a' has 2",
    ),
    "unknown output": from_arrays(
        "mlp", x_of(), INVALID_ARGUMENT, "output 'z'", "'y'", outputs=["y", "z"]
    ),
    "output twice": from_arrays(
        "mlp", x_of(), INVALID_ARGUMENT, "output 'y'", "more than once", outputs=["y", "y"]
    ),
    "rank too low": with_shape([64], says=("input 'x'", "[64]", "[-1,64]")),
    "rank too high": with_shape([1, 1, 64], says=("input 'x'", "[1,1,64]", "[-1,64]")),
    "rank beyond all bounds": with_shape([1] * 1000, says=("input 'x'", "dimensions")),
    "no shape": with_shape([], says=("input 'x'", "[]", "[-1,64]")),
    "wrong inner dimension": with_shape([1, 65], 260, says=("[1,65]", "[-1,64]")),
    "one byte short": with_shape([1, 64], 255, says=("255 bytes", "FP32 [1,64] needs 256")),
    "one byte more": with_shape([1, 64], 257, says=("257 bytes", "FP32 [1,64] needs 256")),
    "one row short": with_shape([2, 64], 256, says=("256 bytes", "FP32 [2,64] needs 512")),
    "no bytes": with_shape([1, 64], 0, says=("0 bytes", "needs 256")),
    "negative rows": with_shape([-1, 64], says=("[-1,64]",)),
    "negative dimension": with_shape([1, -64], says=("[1,-64]",)),
    "two negative dimensions": with_shape([-1, -64], says=("[-1,-64]",)),
    "most negative": with_shape([-(2**63), 64]),
    "dimensions that overflow": with_shape([2**62, 64]),
    "rows that overflow to 256 bytes": with_shape([2**58 + 1, 64]),
    "largest dimension": with_shape([2**63 - 1, 64]),
    "no rows": with_shape([0, 64], 0, says=("no rows", "at least 1")),
    "one row above max_batch_size": from_arrays(
        "gather",
        {"index": np.zeros(MAX_BATCH_SIZE + 1, np.int64)},
        INVALID_ARGUMENT,
        "17 rows",
        "'gather' takes 1 to 16",
    ),
    "typed contents beside raw": changed(
        lambda request: request.inputs[0].contents.fp32_contents.extend([1.0] * 8),
        INVALID_ARGUMENT,
        "input 'a'",
        "typed contents beside raw_input_contents",
    ),
    "typed contents of one input only": changed(
        lambda request: (
            request.ClearField("raw_input_contents"),
            request.inputs[1].contents.fp32_contents.extend([1.0] * 8),
        ),
        INVALID_ARGUMENT,
        "input 'a'",
        "neither raw_input_contents nor typed contents",
        "FP32 [2,4] needs 8 elements",
    ),
    "typed contents of another type": typed("int64_contents", [1] * 8, "int64_contents is given"),
    "one typed element short": typed("fp32_contents", [1.0] * 7, "7 elements in fp32_contents"),
    "one typed element more": typed("fp32_contents", [1.0] * 9, "9 elements in fp32_contents"),
    "no contents at all": changed(
        lambda request: request.ClearField("raw_input_contents"),
        INVALID_ARGUMENT,
        "input 'a'",
        "neither raw_input_contents nor typed contents",
    ),
    "reserved parameter": parameter("triton_final_response", "bool_param", True, "reserved"),
    "reserved header parameter": parameter("headers", "string_param", "a", "reserved"),
    "priority that is text": parameter("priority", "string_param", "1", "uint64_param"),
    "negative timeout": parameter("timeout", "int64_param", -1, "microseconds"),
    "shared memory input": changed(
        lambda request: setattr(
            request.inputs[1].parameters["shared_memory_region"], "string_param", "r"
        ),
        UNIMPLEMENTED,
        "input 'b'",
        "shared memory",
    ),
    "classification": changed(
        lambda request: setattr(
            request.outputs.add(name="sum").parameters["classification"], "int64_param", 2
        ),
        UNIMPLEMENTED,
        "output 'sum'",
        "classification",
    ),
    "bytes that end inside a string": strings(b"\x03\0\0\0ab", "element 0", "declares 3 bytes"),
    "bytes that end inside a length": strings(b"\x01\0\0\0a\x01\0", "element 1 at offset 5"),
    "string of four gigabytes": strings(b"\xff\xff\xff\xffab", "declares 4294967295 bytes"),
    "one string too few": strings(b"\x01\0\0\0a", "ends after 1 of 3 elements"),
    "one string too many": strings(b"\0\0\0\0" * 4, "4 bytes after its 3 elements"),
    "raw contents for one of two": changed(
        lambda request: request.raw_input_contents.pop(),
        INVALID_ARGUMENT,
        "1 entries in raw_input_contents for 2 inputs",
    ),
    "index outside the model's table": from_arrays(
        "gather", {"index": np.array([10], np.int64)}, INVALID_ARGUMENT
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_infer_bad_request_is_refused_and_says_why(address: str, connect: Any, name: str) -> None:
    case = CASES[name]
    code, message = infer_error(address, connect, case.request())
    assert_refused(code, message, case.code, *case.says)


def test_infer_error_of_the_model_says_no_more_than_it_must(address: str, connect: Any) -> None:
    """ONNX Runtime's own messages name source files and nodes."""
    request = infer.make_request("gather", {"index": np.array([10**12], np.int64)})
    code, message = infer_error(address, connect, request)
    assert_refused(code, message, INVALID_ARGUMENT)
    assert "onnxruntime" not in message


def test_infer_bad_row_fails_alone(address: str) -> None:
    """Those that came in the same turn, and may have shared its batch, get their answers."""
    good = infer.make_request("gather", {"index": np.array([3], np.int64)}).SerializeToString()
    bad = infer.make_request("gather", {"index": np.array([10], np.int64)}).SerializeToString()
    with RawHttp2(address) as raw:
        frames: list[Any] = []
        for message in [good, bad, good, good, bad, good]:
            headers = raw.headers_frame(raw_http2.INFER)
            data = raw_http2.message_bytes(message)
            frames += [headers, raw.data_frame(headers.stream_id, data)]
        raw.send(*frames)
        codes = [raw.answer(frame.stream_id).status for frame in frames[::2]]
    assert codes == [OK, INVALID_ARGUMENT, OK, OK, INVALID_ARGUMENT, OK]


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


def test_infer_empty_message_is_refused(address: str, raw: RawHttp2) -> None:
    answer = raw.answer(raw.call(raw_http2.INFER, b""))
    assert_refused(answer.status or OK, answer.message, NOT_FOUND, "model ''")


def test_infer_request_without_message_is_refused(address: str, raw: RawHttp2) -> None:
    answer = raw.answer(raw.begin(raw_http2.INFER, end_stream=True))
    assert answer.status == INTERNAL
    assert answer.message


@pytest.mark.parametrize("sent", [1, 4, 5, 104])
def test_infer_request_that_ends_inside_its_message_is_refused(
    address: str, raw: RawHttp2, sent: int
) -> None:
    whole = raw_http2.message_bytes(infer.make_request("mlp", x_of()).SerializeToString())
    stream = raw.begin(raw_http2.INFER)
    raw.send(raw.data_frame(stream, whole[:sent]))
    answer = raw.answer(stream)
    assert_refused(answer.status or OK, answer.message, INTERNAL, "ended after")


def test_infer_two_messages_in_a_unary_call_are_refused(address: str, raw: RawHttp2) -> None:
    message = raw_http2.message_bytes(infer.make_request("mlp", x_of()).SerializeToString())
    stream = raw.begin(raw_http2.INFER)
    raw.send(raw.data_frame(stream, message + message))
    assert_refused(raw.answer(stream).status or OK, raw.answer(stream).message, INTERNAL, "more")


@pytest.mark.parametrize("content_type", ["application/json", "", "application/grpcx", "text/a"])
def test_call_wrong_content_type_gets_http_415(
    address: str, raw: RawHttp2, content_type: str
) -> None:
    message = infer.make_request("mlp", x_of()).SerializeToString()
    answer = raw.answer(raw.call(raw_http2.INFER, message, content_type=content_type))
    assert answer.headers[":status"] == "415"


@pytest.mark.parametrize("content_type", ["application/grpc+proto", "application/grpc;a=b"])
def test_call_content_types_of_grpc_are_served(
    address: str, raw: RawHttp2, content_type: str
) -> None:
    message = infer.make_request("mlp", x_of()).SerializeToString()
    assert raw.answer(raw.call(raw_http2.INFER, message, content_type=content_type)).status == OK


@pytest.mark.parametrize("path", ["/inference.GRPCInferenceService/Infer", "/", "/a/b", "/ä%00"])
def test_call_unknown_method_is_unimplemented(address: str, raw: RawHttp2, path: str) -> None:
    answer = raw.answer(raw.call(path, b""))
    assert answer.headers[":status"] == "200"
    assert_refused(answer.status or OK, answer.message, UNIMPLEMENTED, "is not served here")


def test_call_methods_of_later_versions_are_unimplemented(address: str, raw: RawHttp2) -> None:
    offered = set(protos.generator().OFFERED[protos.generator().INFERENCE_FILE])
    others = [method.name for method in protos.methods() if method.name not in offered]
    assert "ModelStreamInfer" in others
    for name in others:
        answer = raw.answer(raw.call(f"/{protos.INFERENCE}/{name}", b""))
        assert_refused(answer.status or OK, answer.message, UNIMPLEMENTED, name)


def test_call_compressed_is_unimplemented_and_names_identity(address: str, raw: RawHttp2) -> None:
    stream = raw.begin(raw_http2.INFER, extra=[("grpc-encoding", "gzip")])
    raw.send(raw.data_frame(stream, raw_http2.message_bytes(b"gzip", compressed=True)))
    answer = raw.answer(stream)
    assert_refused(answer.status or OK, answer.message, UNIMPLEMENTED, "compressed")
    assert answer.headers["grpc-accept-encoding"] == "identity"


def test_call_compressed_without_encoding_is_internal(address: str, raw: RawHttp2) -> None:
    stream = raw.begin(raw_http2.INFER)
    raw.send(raw.data_frame(stream, raw_http2.message_bytes(b"gzip", compressed=True)))
    assert raw.answer(stream).status == INTERNAL


@pytest.mark.parametrize("length", [MAX_MESSAGE_BYTES + 1, 2**31, 2**32 - 1])
def test_call_message_too_long_is_refused_by_its_prefix(
    address: str, raw: RawHttp2, length: int
) -> None:
    """Nothing but the prefix is sent, and the stream stays open on our side."""
    stream = raw.begin(raw_http2.INFER)
    prefix = raw_http2.message_bytes(b"", length=length)
    raw.send(raw.data_frame(stream, prefix, end_stream=False))
    answer = raw.answer(stream)
    assert_refused(
        answer.status or OK,
        answer.message,
        RESOURCE_EXHAUSTED,
        f"{length} bytes",
        f"max_message_bytes is {MAX_MESSAGE_BYTES}",
    )


def test_call_message_of_exactly_the_limit_is_read(address: str, raw: RawHttp2) -> None:
    request = infer.make_request("mlp", x_of(15))
    # The id takes one byte of tag and two of length.
    request.id = "i" * (MAX_MESSAGE_BYTES - request.ByteSize() - 3)
    assert request.ByteSize() == MAX_MESSAGE_BYTES
    assert raw.answer(raw.call(raw_http2.INFER, request.SerializeToString())).status == OK


@pytest.mark.parametrize("text", ["", "1", "S", "-1S", "1x", "123456789S", "1.5S"])
def test_call_malformed_timeout_is_refused(address: str, raw: RawHttp2, text: str) -> None:
    message = infer.make_request("mlp", x_of()).SerializeToString()
    answer = raw.answer(raw.call(raw_http2.INFER, message, extra=[("grpc-timeout", text)]))
    assert_refused(answer.status or OK, answer.message, INVALID_ARGUMENT, "grpc-timeout")
