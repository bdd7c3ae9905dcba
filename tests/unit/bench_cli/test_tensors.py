"""penstock.bench.npy and penstock.bench.tensors against NumPy."""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.bench.errors import BenchError
from penstock.bench.npy import read_npy
from penstock.bench.tensors import ELEMENT_BYTES, random_data, read_value, slice_rows
from penstock.bench.wire import Tensor
from support.infer import DTYPES


def npy(array: Any, **settings: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **settings)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("datatype", sorted(DTYPES))
def test_npy_of_every_datatype_is_read(datatype: str, version: tuple[int, int]) -> None:
    array = np.arange(6).reshape(2, 3).astype(DTYPES[datatype])
    found = read_npy(npy(array, version=version), "x.npy")
    assert (found.datatype, found.shape, found.data) == (datatype, (2, 3), array.tobytes())


@pytest.mark.parametrize("kind", ["S", "U"])
def test_npy_of_texts_becomes_bytes_elements(kind: str) -> None:
    array = np.array(["a", "", "longer"]).astype(kind)
    found = read_npy(npy(array), "x.npy")
    assert found.datatype == "BYTES"
    assert found.data == b"\1\0\0\0a" + b"\0\0\0\0" + b"\6\0\0\0longer"


def test_npy_scalar_has_no_dimension() -> None:
    assert read_npy(npy(np.float32(1)), "x.npy").shape == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 something else", "not a .npy file"),
        (npy(np.zeros(4, "<f4"))[:-1], "15 bytes of data, <f4 .4. needs 16"),
        (npy(np.zeros((2, 2), "<f4", order="F")), "column-major"),
        (npy(np.zeros(4, ">f4")), "big-endian"),
        (npy(np.zeros(2, "<c8")), "'<c8' cannot be sent"),
        (npy(np.zeros(2, [("a", "<f4")])), "plain numbers"),
        (b"\x93NUMPY\x01\x00\x04\x00{)((", "no .npy header"),
        (b"\x93NUMPY\x01\x00\xff\xff{}  ", "ends inside its header"),
    ],
)
def test_npy_bad_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        read_npy(content, "x.npy")


@given(st.binary(max_size=80))
def test_npy_any_bytes_are_refused_or_read(content: bytes) -> None:
    for data in (content, b"\x93NUMPY\x01\x00" + content):
        # Anything else that is raised fails the test.
        with contextlib.suppress(BenchError):
            read_npy(data, "x.npy")


@pytest.mark.parametrize("datatype", sorted(ELEMENT_BYTES))
def test_random_data_has_the_size_and_repeats_with_the_seed(datatype: str) -> None:
    first = random_data(datatype, 1000, random.Random(7))
    assert len(first) == 1000 * ELEMENT_BYTES[datatype]
    assert first == random_data(datatype, 1000, random.Random(7))
    assert first != random_data(datatype, 1000, random.Random(8))


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_random_floats_lie_in_their_range(datatype: str) -> None:
    values = np.frombuffer(random_data(datatype, 1000, random.Random(1)), DTYPES[datatype])
    assert -1 <= values.min() < -0.9
    assert 0.9 < values.max() <= 1


def test_random_bf16_is_the_upper_half_of_floats() -> None:
    halves = np.frombuffer(random_data("BF16", 1000, random.Random(1)), "<u2").astype("<u4") << 16
    floats = np.frombuffer(random_data("FP32", 1000, random.Random(1)), "<f4")
    assert np.abs(halves.view("<f4") - floats).max() <= 2**-7


def test_random_integers_lie_in_the_range_asked_for() -> None:
    data = random_data("INT64", 1000, random.Random(1), (100, 103))
    assert set(np.frombuffer(data, np.int64)) == {100, 101, 102, 103}


def test_random_data_beyond_a_block_has_every_element() -> None:
    data = random_data("UINT16", 200_001, random.Random(1), (1, 9))
    values = np.frombuffer(data, np.uint16)
    assert len(values) == 200_001
    assert values.min() >= 1


def test_random_limits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BenchError, match="UINT8"):
        random_data("UINT8", 10, random.Random(1), (0, 300))


def test_random_bytes_are_length_prefixed_texts() -> None:
    tensor = Tensor(
        name="s", datatype="BYTES", shape=(5,), data=random_data("BYTES", 5, random.Random(1))
    )
    pieces = [slice_rows(tensor, row, 1).data for row in range(5)]
    assert b"".join(pieces) == tensor.data
    assert all(int.from_bytes(piece[:4], "little") == len(piece) - 4 for piece in pieces)


@pytest.mark.parametrize("inline", [True, False])
def test_json_becomes_the_tensor(inline: bool, tmp_path: Path) -> None:
    text = json.dumps([[1, 2.5, 3], [4, 5, 6]])
    path = tmp_path / "x.json"
    path.write_text(text)
    tensor = read_value(text if inline else f"@{path}", name="x", datatype="FP32")
    assert tensor.shape == (2, 3)
    assert list(np.frombuffer(tensor.data, np.float32)) == [1, 2.5, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "datatype"),
    [("[1, 2]", "INT64"), ("[1, 2.5]", "FP32"), ('["a"]', "BYTES"), ("[true]", "BOOL")],
)
def test_json_without_a_declared_datatype_is_guessed(text: str, datatype: str) -> None:
    assert read_value(text, name="x", datatype="").datatype == datatype


@pytest.mark.parametrize(
    ("text", "datatype", "message"),
    [
        ("[1, 2", "FP32", "no JSON"),
        ("[[1], [2, 3]]", "FP32", "equal lengths"),
        ("[1, [2]]", "FP32", "equal depth"),
        ("[300]", "UINT8", "does not fit UINT8"),
        ("[1.5]", "INT32", "does not fit INT32"),
        ('["a"]', "FP32", "needs numbers"),
        ("[1]", "BYTES", "needs strings"),
        ("@none.npy", "FP32", "none.npy: No such file"),
    ],
)
def test_value_bad_is_refused(text: str, datatype: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        read_value(text, name="x", datatype=datatype)


def test_value_of_another_datatype_than_the_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(np.zeros(3)))
    with pytest.raises(BenchError, match="FP64, but the model's 'x' is FP32"):
        read_value(f"@{path}", name="x", datatype="FP32")


def test_rows_are_sliced() -> None:
    array = np.arange(12, dtype=np.int16).reshape(4, 3)
    tensor = Tensor(name="x", datatype="INT16", shape=(4, 3), data=array.tobytes())
    part = slice_rows(tensor, 1, 2)
    assert part.shape == (2, 3)
    assert part.data == array[1:3].tobytes()
