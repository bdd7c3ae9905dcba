"""Requests whose rows differ in length share runs, and nobody notices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from penstock import Engine
from penstock.errors import PenstockError
from support import infer, metrics, protos, ragged_models, raw_http2
from support.raw_http2 import RawHttp2

TIMEOUT_S = 60.0
MODEL = "masked"
# 0 is a word as well: only the mask tells padding.
SETTINGS = "max_batch_size: 64\nragged:\n  - {input: ids, pad: 3, mask: mask}\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = ragged_models.save_masked(tmp_path_factory.mktemp("ragged") / f"{MODEL}.onnx")
    path.with_suffix(".yaml").write_text(SETTINGS)
    return path


@pytest.fixture(scope="module")
def shared_server(start_shared_server: Any, model: Path) -> Any:
    return start_shared_server(str(model), flags=["--report-batch-size", "--http-port", "0"])


def ids_of(random: np.random.Generator, rows: int, length: int) -> NDArray[Any]:
    return random.integers(0, ragged_models.VOCABULARY, (rows, length))


def check(answer: infer.Arrays, ids: NDArray[Any], mask: NDArray[Any], model: Path) -> None:
    expected = infer.run_reference(model, {"ids": ids, "mask": mask})
    np.testing.assert_array_equal(answer["scores"], expected["scores"])
    np.testing.assert_allclose(answer["embedding"], expected["embedding"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer["pairs"], expected["pairs"], rtol=1e-5, atol=1e-5)


def part(samples: metrics.Samples, name: str) -> float:
    labels = {"model": MODEL, "version": "1", "part": name}
    return samples["penstock_model_ragged_elements_total", frozenset(labels.items())]


def test_requests_of_many_lengths_share_runs_and_are_answered_as_if_alone(
    shared_server: Any, model: Path
) -> None:
    random = np.random.default_rng(5)
    requests = []
    for i in range(120):
        ids = ids_of(random, 1 + i % 2, int(random.integers(1, 40)))
        mask = random.integers(0, 2, ids.shape) if i % 3 == 0 else np.ones_like(ids)
        mask[:, 0] = 1
        requests.append({"ids": ids, "mask": mask})
    # Every second one of those whose mask is all ones leaves it out.
    sent = [
        {"ids": r["ids"]} if i % 6 == 1 else {"mask": r["mask"], "ids": r["ids"]}
        for i, r in enumerate(requests)
    ]
    before = metrics.scrape(shared_server.http_address)
    with RawHttp2(shared_server.address) as raw:
        frames: list[Any] = []
        for inputs in sent:
            request = infer.make_request(MODEL, inputs).SerializeToString()
            headers = raw.headers_frame(raw_http2.INFER)
            frames += [headers, raw.data_frame(headers.stream_id, raw_http2.message_bytes(request))]
        raw.send(*frames)
        answers = [raw.answer(frame.stream_id) for frame in frames[::2]]
    assert [answer.status for answer in answers] == [0] * len(sent), answers
    sizes = []
    for answer, request in zip(answers, requests, strict=True):
        response = infer.parse_response(answer.data)
        check(infer.arrays_of(response), request["ids"], request["mask"], model)
        sizes.append(response.parameters["penstock_batch_size"].int64_param)
    # Sizes above 2 are requests that ran together; the padding says that their lengths differed.
    assert max(sizes) > 2, sizes
    after = metrics.scrape(shared_server.http_address)
    own, padding = (part(after, name) - part(before, name) for name in ("own", "padding"))
    assert own == sum(request["ids"].size for request in requests)
    assert 0 < padding < own, "what shares a run is of similar length"


def test_lone_request_may_leave_out_the_mask(shared_server: Any, connect: Any, model: Path) -> None:
    stub = protos.unary_stub(connect(shared_server.address), "ModelInfer")
    ids = ids_of(np.random.default_rng(1), 3, 7)
    answer = stub(infer.make_request(MODEL, {"ids": ids}), timeout=TIMEOUT_S)
    check(infer.arrays_of(answer), ids, np.ones_like(ids), model)


def test_lengths_that_disagree_are_refused(shared_server: Any, connect: Any) -> None:
    stub = protos.unary_stub(connect(shared_server.address), "ModelInfer")
    inputs = {"ids": np.zeros((1, 4), np.int64), "mask": np.ones((1, 5), np.int64)}
    with pytest.raises(grpc.RpcError) as refused:
        stub(infer.make_request(MODEL, inputs), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == (
        "input 'mask': shape [1,5], but input 'ids' has [1,4], a length of 4"
    )


@pytest.mark.parametrize(
    ("ragged", "says"),
    [
        ("[{input: text}]", "ragged[0].input: the model has no input 'text'; it takes ids, mask"),
        (
            "[{input: ids, axis: 2}]",
            "ragged[0].axis: input 'ids' has the shape [-1,-1], whose axis 2",
        ),
        (
            "[{input: ids, pad: 0.5}]",
            "ragged[0].pad: does not fit INT64, which takes whole numbers",
        ),
        ("[{input: ids}, {input: ids}]", "ragged[1].input: 'ids' stands there twice"),
        ("[{input: ids, mask: ids}]", "ragged[0].mask: 'ids' stands there as an input, too"),
        (
            "[{input: ids, pda: 1}]",
            "ragged[0].pda: unknown setting; known are input, axis, pad, mask",
        ),
        ("[{axis: 1}]", "ragged[0].input: Field required"),
        ("ids", "ragged: expected a list of inputs, got str"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(
    tmp_path: Path, ragged: str, says: str
) -> None:
    model = ragged_models.save_masked(tmp_path / "m.onnx")
    model.with_suffix(".yaml").write_text(f"ragged: {ragged}")
    with pytest.raises(PenstockError, match=re.escape(says)):
        Engine(model)


def test_model_that_padding_changes_is_refused(tmp_path: Path) -> None:
    model = ragged_models.save_unmasked(tmp_path / "m.onnx")
    model.with_suffix(".yaml").write_text("ragged: [{input: ids}]")
    with pytest.raises(PenstockError, match="padding changes what the model answers: output 'emb"):
        Engine(model)
    model = ragged_models.save_masked(tmp_path / "m.onnx")
    # As an input among others the mask is padded by its own value, which says nothing of padding.
    model.with_suffix(".yaml").write_text("ragged: [{input: ids}, {input: mask, pad: 1}]")
    with pytest.raises(PenstockError, match="padding changes what the model answers"):
        Engine(model)


def test_output_that_cannot_be_cut_back_is_refused(tmp_path: Path) -> None:
    model = ragged_models.save_doubling(tmp_path / "m.onnx")
    model.with_suffix(".yaml").write_text("ragged: [{input: ids}]")
    with pytest.raises(PenstockError) as refused:
        Engine(model)
    assert "output 'twice' has the shape [1,10,8] for a length of 5" in str(refused.value)


def test_log_says_what_is_ragged(shared_server: Any) -> None:
    assert 'ragged="ids, mask (mask); cut back: scores, pairs"' in shared_server.log
