"""penstock.bench.payloads: which messages are made, read back with protobuf."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.bench.errors import BenchError
from penstock.bench.flag_values import RowShare, parse_rows
from penstock.bench.payloads import InputChoices, Payload, deal_rows, make_payload
from penstock.bench.wire import ModelMetadata, Tensor, TensorMetadata
from support import infer, protos


def model(*inputs: tuple[str, str, tuple[int, ...]]) -> ModelMetadata:
    return ModelMetadata(
        name="m",
        versions=("1",),
        platform="",
        inputs=tuple(TensorMetadata(name=n, datatype=d, shape=s) for n, d, s in inputs),
        outputs=(),
    )


MLP = model(("x", "FP32", (-1, 4)))


def requests(payload: Payload) -> list[Any]:
    kind = protos.message_class("inference.ModelInferRequest")
    return [kind.FromString(message) for message in payload.messages]


def tensor_of(name: str, array: Any) -> Tensor:
    names = {np.dtype(kind): datatype for datatype, kind in infer.DTYPES.items()}
    return Tensor(name=name, datatype=names[array.dtype], shape=array.shape, data=array.tobytes())


def test_payload_by_default_is_different_random_rows() -> None:
    payload = make_payload(MLP, "", InputChoices(messages=8))
    made = requests(payload)
    assert len(set(payload.messages)) == 8
    assert payload.expected == ()
    assert payload.inputs == ("x FP32 [1,4] random",)
    assert all(list(request.inputs[0].shape) == [1, 4] for request in made)
    assert all(len(request.raw_input_contents[0]) == 16 for request in made)
    assert not made[0].parameters


def test_payload_of_a_seed_is_always_the_same() -> None:
    first = make_payload(MLP, "", InputChoices(messages=3, seed=5))
    assert first == make_payload(MLP, "", InputChoices(messages=3, seed=5))
    assert first != make_payload(MLP, "", InputChoices(messages=3, seed=6))


def test_payload_has_version_and_priority() -> None:
    (request,) = requests(make_payload(MLP, "3", InputChoices(messages=1, priority=2)))
    assert request.model_version == "3"
    assert request.parameters["priority"].uint64_param == 2


def test_payload_rows_are_drawn_in_proportion() -> None:
    choices = InputChoices(messages=20, rows=parse_rows("1:0.9,8:0.1"))
    payload = make_payload(MLP, "", choices)
    rows = Counter(request.inputs[0].shape[0] for request in requests(payload))
    assert rows == {1: 18, 8: 2}
    assert payload.inputs == ("x FP32 [1-8,4] random",)


@given(
    st.lists(st.tuples(st.integers(1, 99), st.floats(0.001, 1000)), min_size=1, max_size=9),
    st.integers(1, 100),
)
def test_rows_dealt_any_shares_each_come_and_fill_the_messages(
    pairs: list[tuple[int, float]], messages: int
) -> None:
    shares = [RowShare(rows=rows, weight=weight) for rows, weight in pairs]
    dealt = deal_rows(shares, messages)
    assert set(dealt) == {rows for rows, _ in pairs}
    assert len(dealt) >= messages
    total = sum(weight for _, weight in pairs)
    # One message more or less for each share, beyond the one that a tiny share gets.
    assert len(dealt) <= messages + 2 * len(pairs)
    for rows in {rows for rows, _ in pairs}:
        exact = messages * sum(weight for each, weight in pairs if each == rows) / total
        assert dealt.count(rows) >= exact - len(pairs)


def test_payload_free_dimensions_need_a_shape() -> None:
    image = model(("image", "UINT8", (-1, 3, -1, -1)))
    with pytest.raises(BenchError, match="--shape image=1,3,1,1"):
        make_payload(image, "", InputChoices())
    choices = InputChoices(shapes={"image": (2, 3, 8, 8)}, messages=1)
    (request,) = requests(make_payload(image, "", choices))
    assert list(request.inputs[0].shape) == [2, 3, 8, 8]
    assert len(request.raw_input_contents[0]) == 2 * 3 * 8 * 8


@pytest.mark.parametrize("shape", [(1, 5), (4,), (1, 1, 4)])
def test_payload_shape_that_the_model_has_not_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BenchError, match=r"the model's input is \[-1, 4\]"):
        make_payload(MLP, "", InputChoices(shapes={"x": shape}))


def test_payload_rows_of_a_fixed_dimension_are_refused() -> None:
    fixed = model(("x", "FP32", (3, 4)))
    with pytest.raises(BenchError, match="its first dimension is fixed"):
        make_payload(fixed, "", InputChoices(rows=parse_rows("2")))
    assert make_payload(fixed, "", InputChoices(rows=parse_rows("3"))).messages


def test_payload_large_tensors_are_fewer() -> None:
    large = model(("x", "FP32", (-1, 1 << 24)))
    assert len(make_payload(large, "", InputChoices()).messages) == 4


def test_payload_given_input_is_sent_as_it_is() -> None:
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    payload = make_payload(MLP, "", InputChoices(given={"x": tensor_of("x", array)}))
    (request,) = requests(payload)
    assert request.raw_input_contents[0] == array.tobytes()
    assert payload.inputs == ("x FP32 [2,4] given",)


def test_payload_rows_of_files_keep_inputs_and_answers_together() -> None:
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    y = np.arange(10, dtype=np.int64)
    choices = InputChoices(
        given={"x": tensor_of("x", x)},
        expected={"y": tensor_of("y", y)},
        rows=parse_rows("1-3"),
        messages=12,
    )
    payload = make_payload(MLP, "", choices)
    assert len(payload.messages) == len(payload.expected) == 12
    for request, expected in zip(requests(payload), payload.expected, strict=True):
        assert [output.name for output in request.outputs] == ["y"]
        sent = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, 4)
        answer = infer.arrays_of(infer.parse_response(expected))["y"]
        assert (sent[:, 0] / 4).tolist() == answer.tolist()


def test_payload_rows_beyond_the_file_are_refused() -> None:
    x = tensor_of("x", np.zeros((2, 4), np.float32))
    with pytest.raises(BenchError, match="--rows up to 3 needs as many rows"):
        make_payload(MLP, "", InputChoices(given={"x": x}, rows=parse_rows("1-3")))


def test_payload_of_a_model_without_metadata_takes_what_is_given() -> None:
    x = tensor_of("x", np.zeros((2, 4), np.float32))
    (request,) = requests(make_payload(model(), "", InputChoices(given={"x": x})))
    assert request.inputs[0].datatype == "FP32"
    with pytest.raises(BenchError, match="give --input"):
        make_payload(model(), "", InputChoices())


def test_payload_unknown_datatype_is_refused() -> None:
    with pytest.raises(BenchError, match="'STRANGE' is unknown"):
        make_payload(model(("x", "STRANGE", (-1,))), "", InputChoices())
