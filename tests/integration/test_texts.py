"""Sentences of all lengths to a small BERT that stands behind a tokenizer."""

from __future__ import annotations

import random
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
import tritonclient.grpc
from bert_graph import IR_VERSION, OPSET
from numpy.typing import NDArray
from penstock.preprocess import Pipeline
from penstock.tokenizer import Tokenizer
from support import infer, made_bert, protos, raw_http2, texts
from support.raw_http2 import RawHttp2

SEED = 20261121
TIMEOUT_S = 60.0
ROUNDS_MAX = 20
OK, INVALID_ARGUMENT = 0, 3
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    made_bert.write_bert(folder)
    return folder


@pytest.fixture(scope="module")
def server(start_shared_server: Any, repository: Path) -> Any:
    return start_shared_server(repository, flags=["--report-batch-size"])


def column(values: list[bytes]) -> NDArray[Any]:
    return np.array(values, object)


def request_of(*rows: bytes) -> Any:
    return infer.make_request("bert", {"text": column(list(rows))})


def sentences(count: int) -> list[bytes]:
    """From a word to more than max_length, in an order of no order."""
    rng = random.Random(SEED)
    words = " ".join(texts.english_lines(2000, rng)).split()
    return [
        " ".join(rng.sample(words, round(1.2 ** rng.uniform(0, 25)))).encode() for _ in range(count)
    ]


def hidden_of(repository: Path, row: bytes) -> NDArray[Any]:
    """The row alone through ONNX Runtime's own API: (1, its ids, width)."""
    inputs = Tokenizer.from_file(repository / "bert/tokenizer.json", max_length=64)([row])
    return infer.run_reference(repository / "bert/1/model.onnx", inputs)["last_hidden_state"]


def assert_close(got: NDArray[Any], wanted: NDArray[Any]) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def assert_answer(response: Any, repository: Path, row: bytes) -> None:
    """The response to this row alone: as long as the row is, whatever it ran with."""
    assert_close(infer.arrays_of(response)["last_hidden_state"], hidden_of(repository, row))


def assert_rows(hidden: NDArray[Any], repository: Path, rows: list[bytes]) -> None:
    """Of one request: all as long as its longest, each what it is alone as far as it goes."""
    wanted = [hidden_of(repository, row)[0] for row in rows]
    assert hidden.shape == (len(rows), max(map(len, wanted)), made_bert.WIDTH)
    for got, own in zip(hidden, wanted, strict=True):
        assert_close(got[: len(own)], own)


def test_metadata_tells_what_a_client_sends(server: Any, connect: Any) -> None:
    stub = protos.unary_stub(connect(server.address), "ModelMetadata")
    request = protos.message_class("inference.ModelMetadataRequest")(name="bert")
    metadata = stub(request, timeout=TIMEOUT_S)
    assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [
        ("text", "BYTES", [-1])
    ]
    assert [t.name for t in metadata.outputs] == ["last_hidden_state"]


def test_texts_of_all_lengths_in_parallel_equal_each_alone(
    server: Any, connect: Any, repository: Path
) -> None:
    rows = sentences(200)
    stub = protos.unary_stub(connect(server.address), "ModelInfer")

    def ask(row: bytes) -> Any:
        return stub(request_of(row), timeout=TIMEOUT_S)

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, rows))
    for row, answer in zip(rows, answers, strict=True):
        assert_answer(answer, repository, row)


def test_texts_of_other_lengths_share_a_run(server: Any, repository: Path) -> None:
    """No two are as long as each other, so that what runs together was padded."""
    rows = [b" ".join([b"a"] * count) for count in range(1, 13)]
    with RawHttp2(server.address) as raw:
        raw.barrier()
        for _ in range(ROUNDS_MAX):
            answers = raw_http2.ask_at_once(raw, [request_of(row) for row in rows])
            responses = [infer.parse_response(answer.data) for answer in answers]
            for row, response in zip(rows, responses, strict=True):
                assert_answer(response, repository, row)
            together = [r.parameters["penstock_batch_size"].int64_param for r in responses]
            if max(together) > 1:
                return
    pytest.fail(f"each text ran alone in {ROUNDS_MAX} rounds")


def test_rows_of_one_request_equal_each_alone(server: Any, connect: Any, repository: Path) -> None:
    rows = sentences(20)
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    answer = stub(request_of(*rows), timeout=TIMEOUT_S)
    assert_rows(infer.arrays_of(answer)["last_hidden_state"], repository, rows)


def test_tritonclient_sends_strings_as_it_does(server: Any, repository: Path) -> None:
    rows = sentences(3)
    sent = tritonclient.grpc.InferInput("text", [3], "BYTES")
    sent.set_data_from_numpy(column(rows))
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        got = client.infer("bert", [sent]).as_numpy("last_hidden_state")
    assert got is not None
    assert_rows(got, repository, rows)


def test_bad_texts_fail_alone(server: Any, repository: Path) -> None:
    rows = sentences(32)
    bad = {3: b"caf\xe9", 17: b"x" * (128 * 1024 + 1), 31: b"\xed\xa0\x80"}
    wanted = {
        3: "the text is not UTF-8: byte 233 at offset 3",
        17: "the text has 131073 bytes, at most 131072 are taken",
        31: "the text is not UTF-8: byte 237 at offset 0",
    }
    requests = [request_of(bad.get(i, row)) for i, row in enumerate(rows)]
    with RawHttp2(server.address) as raw:
        raw.barrier()
        answers = raw_http2.ask_at_once(raw, requests)
    for place, answer in enumerate(answers):
        if place in bad:
            assert answer.status == INVALID_ARGUMENT, answer
            assert wanted[place] in urllib.parse.unquote(answer.message)
        else:
            assert answer.status == OK, answer
            assert_answer(infer.parse_response(answer.data), repository, rows[place])


def test_bad_row_is_named(server: Any, connect: Any) -> None:
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    with pytest.raises(grpc.RpcError) as raised:
        stub(request_of(b"good", b"good", b"\xff"), timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "row 2: the text is not UTF-8: byte 255 at offset 0" in raised.value.details()


def test_texts_of_ten_megabytes_leave_no_memory_behind(
    start_server: Any, connect: Any, repository: Path
) -> None:
    """The message is held while it is read, and nothing of its size beside it."""
    server = start_server(repository)
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    stub(request_of(b"good"), timeout=TIMEOUT_S)
    before = peak_memory(server)
    for text in (b"word " * 2_000_000, b"\xf0" * 10_000_000, b"\0" * 10_000_000):
        with pytest.raises(grpc.RpcError) as raised:
            stub(request_of(text), timeout=TIMEOUT_S)
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "the text has 10000000 bytes, at most 131072" in raised.value.details()
    assert peak_memory(server) - before < 64 * MEBIBYTE
    stub(request_of(b"good"), timeout=TIMEOUT_S)


def peak_memory(server: Any) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def test_pairs_are_two_inputs(start_server: Any, connect: Any, tmp_path: Path) -> None:
    folder = made_bert.write_bert(
        tmp_path,
        """
        preprocessing:
          - from: [question, answer]
            to: [attention_mask, token_type_ids, input_ids]
            steps:
              - tokenize:
                  file: tokenizer.json
                  max_length: 24
                  outputs: [mask, type_ids, ids]
        """,
    )
    server = start_server(tmp_path)
    questions, answers = column([b"Who did it?", b"Why?"]), column([b"The gardener.", b"x " * 40])
    stub = protos.unary_stub(connect(server.address), "ModelInfer")
    request = infer.make_request("bert", {"question": questions, "answer": answers})
    got = infer.arrays_of(stub(request, timeout=TIMEOUT_S))["last_hidden_state"]
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json", max_length=24)
    inputs = tokenizer(list(questions), list(answers))
    assert inputs["token_type_ids"].any()
    wanted = infer.run_reference(folder / "1/model.onnx", inputs)["last_hidden_state"]
    assert_close(got, wanted)


def test_two_texts_of_a_request_keep_their_own_lengths(start_server: Any, tmp_path: Path) -> None:
    """Two steps make ids of two lengths, which no padding brings to one: they run apart."""
    write_two_towers(tmp_path)
    server = start_server(tmp_path)
    pairs = [(b"a " * left, b"b " * right) for left in (1, 5, 9) for right in (2, 7, 12)]
    requests = [
        infer.make_request("towers", {"left": column([left]), "right": column([right])})
        for left, right in pairs
    ]
    with RawHttp2(server.address) as raw:
        raw.barrier()
        answers = raw_http2.ask_at_once(raw, requests)
    tokenizer = Tokenizer.from_file(tmp_path / "towers/tokenizer.json")
    for (left, right), answer in zip(pairs, answers, strict=True):
        assert answer.status == OK, answer
        sums = [tokenizer([text])["input_ids"].sum() for text in (left, right)]
        got = infer.arrays_of(infer.parse_response(answer.data))["difference"]
        assert got.tolist() == [sums[0] - sums[1]]


def write_two_towers(repository: Path) -> None:
    """repository/towers: the sum of one text's ids less that of another's."""
    folder = made_bert.write_bert(repository).rename(repository / "towers")
    nodes = [
        onnx.helper.make_node("ReduceSum", [name, "axes"], [f"{name}_sum"], keepdims=0)
        for name in ("left_ids", "right_ids")
    ]
    nodes.append(onnx.helper.make_node("Sub", ["left_ids_sum", "right_ids_sum"], ["difference"]))
    int64 = onnx.TensorProto.INT64
    graph = onnx.helper.make_graph(
        nodes,
        "towers",
        [
            onnx.helper.make_tensor_value_info("left_ids", int64, ["rows", "left"]),
            onnx.helper.make_tensor_value_info("right_ids", int64, ["rows", "right"]),
        ],
        [onnx.helper.make_tensor_value_info("difference", int64, ["rows"])],
        [onnx.numpy_helper.from_array(np.array([1]), "axes")],
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opset)
    onnx.save(model, folder / "1/model.onnx")
    step = "steps: [{tokenize: {file: tokenizer.json}}]"
    (folder / "model.yaml").write_text(
        "preprocessing:\n"
        f"  - {{from: left, to: left_ids, {step}}}\n"
        f"  - {{from: right, to: right_ids, {step}}}\n"
    )


def test_declaration_in_process_gives_what_the_tokenizer_gives(repository: Path) -> None:
    pipeline = Pipeline(
        [
            {
                "from": "text",
                "to": ["input_ids", "attention_mask", "token_type_ids"],
                "steps": [{"tokenize": {"file": "tokenizer.json"}}],
            }
        ],
        folder=repository / "bert",
    )
    rows = sentences(50)
    wanted = Tokenizer.from_file(repository / "bert/tokenizer.json")(rows)
    made = pipeline({"text": column(rows)})
    assert list(made) == list(wanted)
    for name, array in wanted.items():
        assert made[name].dtype == array.dtype
        assert (made[name] == array).all()


def test_ids_of_another_type_than_the_models_are_refused(run_serve: Any, tmp_path: Path) -> None:
    config = made_bert.SENTENCES_YAML.replace("max_length: 64", "datatype: INT32")
    made_bert.write_bert(tmp_path, config)
    run_serve(tmp_path, says=["preprocessing[0]", "INT32", "INT64"])
