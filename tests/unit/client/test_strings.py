"""The compiled codec of string tensors against the protocol's text, said in a line of Python."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock_client import _strings

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # surrogates have no UTF-8
ELEMENTS = st.lists(st.binary() | TEXT)


def packed(elements: list[Any]) -> bytes:
    raw = [each.encode() if isinstance(each, str) else each for each in elements]
    return b"".join(struct.pack("<I", len(each)) + each for each in raw)


@given(ELEMENTS)
def test_pack_is_length_and_bytes(elements: list[Any]) -> None:
    assert _strings.pack(elements) == packed(elements)


@given(st.lists(st.binary()))
def test_unpack_is_what_was_packed(elements: list[bytes]) -> None:
    array = _strings.unpack(packed(elements), len(elements))
    assert array.dtype == object
    assert array.shape == (len(elements),)
    assert list(array) == elements
    assert all(type(element) is bytes for element in array)


@given(st.lists(st.binary(max_size=20), max_size=6), st.data())
def test_unpack_of_any_other_count_or_length_is_refused(
    elements: list[bytes], data: st.DataObject
) -> None:
    raw = packed(elements)
    count = data.draw(st.integers(-1, len(elements) + 2).filter(lambda n: n != len(elements)))
    with pytest.raises(ValueError, match="element"):
        _strings.unpack(raw, count)
    if raw:
        cut = data.draw(st.integers(0, len(raw) - 1))
        with pytest.raises(ValueError, match="element"):
            _strings.unpack(raw[:cut], len(elements))
    with pytest.raises(ValueError, match="element"):
        _strings.unpack(raw + b"\0", len(elements))


@given(st.binary(max_size=64), st.integers(-1, 20))
def test_unpack_of_any_bytes_is_exact_or_refused(raw: bytes, count: int) -> None:
    try:
        array = _strings.unpack(raw, count)
    except ValueError:
        return
    assert packed(list(array)) == raw
    assert len(array) == count


@pytest.mark.parametrize(
    ("raw", "count", "message"),
    [
        (b"\xff\xff\xff\xff", 1, "element 0 of 1 says 4294967295 bytes, 0 are left"),
        (b"\1\0\0\0a\2\0\0\0b", 2, "element 1 of 2 says 2 bytes, 1 are left"),
        (b"\4\0\0\0abcd", 2, "element 1 of 2: 0 bytes are left, no length"),
        (b"\0\0\0\0\0\0\0\0", 1, "4 bytes are left after the last of 1 elements"),
        (b"", 2**62, "0 bytes cannot hold 4611686018427387904 elements"),
    ],
)
def test_unpack_says_where_the_lengths_lie(raw: bytes, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _strings.unpack(raw, count)


@pytest.mark.parametrize("wrong", [None, 1, bytearray(b"a"), memoryview(b"a"), ["a"]])
def test_pack_names_the_element_that_is_no_string(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"element 1 is {type(wrong).__name__}, bytes or str"):
        _strings.pack([b"", wrong])


def test_pack_takes_numpy_scalars() -> None:
    assert _strings.pack([np.bytes_(b"a"), np.str_("b")]) == packed([b"a", "b"])
