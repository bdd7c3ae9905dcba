"""Columns of every kind into arrays, against what the same values are in NumPy."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock_client import InputError, TensorMetadata
from penstock_client.wire import from_columns
from support.tables import rows_of

NAN = math.nan
INTEGERS = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
FLOATS = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # surrogates have no UTF-8


def tensor(name: str, datatype: str, *inner: int) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=(-1, *inner))


def column(values: Any, datatype: str, *inner: int) -> Any:
    return from_columns({"x": values}, [tensor("x", datatype, *inner)])["x"]


def structured(columns: dict[str, list[Any]]) -> Any:
    kinds = {"age": "i8", "height": "f8", "city": "O", "member": "?"}
    made = np.empty(len(columns["age"]), [(name, kinds[name]) for name in columns])
    for name, values in columns.items():
        made[name] = values
    return made


class ArrowTable:
    """What is used of pyarrow's Table, whose arrays lose a dictionary's nulls in NumPy."""

    class Column:
        null_count = 1

        def __init__(self, values: list[Any]) -> None:
            self._values = values

        def to_pylist(self) -> list[Any]:
            return self._values

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([value or "lost" for value in self._values], object)

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    @property
    def column_names(self) -> list[str]:
        return list(self._columns)

    @property
    def columns(self) -> list[Any]:
        return [self[name] for name in self._columns]

    def __getitem__(self, name: str) -> Any:
        return self.Column(self._columns[name])


TABLES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": pandas.DataFrame,
    "pandas, one block": lambda columns: pandas.DataFrame(columns).astype(object),
    "pandas, every second row": lambda columns: pandas.DataFrame(
        {name: [each for value in values for each in (value, value)][::-1]
         for name, values in columns.items()}
    )[::-2],
    "polars": polars.DataFrame,
    "arrow": ArrowTable,
    "structured": structured,
    "columns": dict,
    "arrays": lambda columns: {name: np.array(values) for name, values in columns.items()},
    "rows": rows_of,
    "list": lambda columns: list(columns.values()),
}  # fmt: skip
DECLARED = [
    tensor("age", "INT32", 1),
    tensor("height", "FP32"),
    tensor("city", "BYTES", 1, 1),
    tensor("member", "BOOL"),
]


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_every_table_gives_the_same_arrays(make: Callable[[dict[str, list[Any]]], Any]) -> None:
    columns = {
        "age": [3, 40, -7],
        "height": [0.1, NAN, 1e-3],
        "city": ["Köln", "", "東京"],
        "member": [True, False, True],
    }
    arrays = from_columns(make(columns), DECLARED)
    assert list(arrays) == list(columns)
    assert arrays["age"].dtype == np.int32
    assert arrays["age"].tolist() == [[3], [40], [-7]]
    assert arrays["height"].dtype == np.float32
    np.testing.assert_array_equal(arrays["height"], np.array([0.1, NAN, 1e-3], np.float32))
    assert arrays["city"].dtype == object
    assert arrays["city"].tolist() == [[["Köln"]], [[""]], [["東京"]]]
    assert arrays["member"].dtype == np.bool_
    assert arrays["member"].tolist() == [True, False, True]


@pytest.mark.parametrize("datatype", INTEGERS)
@given(data=st.data())
def test_whole_numbers_are_exact_or_refused(datatype: str, data: st.DataObject) -> None:
    dtype = np.dtype(datatype.lower())
    limits = np.iinfo(dtype)
    fitting = st.integers(limits.min, limits.max)
    values = data.draw(st.lists(fitting, min_size=1))
    for given_as in (values, np.array(values, dtype), np.array(values, object)):
        made = column(given_as, datatype)
        assert made.dtype == dtype
        assert made.tolist() == values
    beyond = data.draw(st.integers(max_value=limits.min - 1) | st.integers(limits.max + 1))
    at = data.draw(st.integers(0, len(values)))
    values.insert(at, beyond)
    with pytest.raises(InputError, match=rf"input 'x', row {at} is .*, {datatype} takes whole"):
        column(values, datatype)


@pytest.mark.parametrize("datatype", INTEGERS)
def test_whole_floats_are_taken_as_integers(datatype: str) -> None:
    limits = np.iinfo(datatype.lower())
    for dtype in FLOATS.values():
        assert column(np.array([0, 1, 100], dtype), datatype).tolist() == [0, 1, 100]
    assert column([0.0, np.float32(7)], datatype).tolist() == [0, 7]
    first_beyond = float(limits.max + 1)
    largest = int(np.nextafter(first_beyond, 0)) if limits.bits == 64 else limits.max
    assert column(np.array([float(largest)]), datatype).tolist() == [largest]
    assert column([float(largest)], datatype).tolist() == [largest]
    for wrong in (0.5, math.inf, first_beyond, float(limits.min) * 2 - 2):
        for given_as in (np.array([1.0, wrong]), [1.0, wrong]):
            with pytest.raises(InputError, match="row 1 is"):
                column(given_as, datatype)


@pytest.mark.parametrize("datatype", FLOATS)
@given(values=st.lists(st.floats() | st.integers(-1000, 1000) | st.booleans() | st.none()))
def test_floats_are_rounded_and_never_become_infinite(datatype: str, values: list[Any]) -> None:
    whole = np.array([NAN if value is None else value for value in values], np.float64)
    with np.errstate(over="ignore"):
        expected = whole.astype(FLOATS[datatype])
    lost = np.isinf(expected) & np.isfinite(whole)
    for given_as in (values, whole):
        if lost.any():
            with pytest.raises(InputError, match=f"row {lost.argmax()} is"):
                column(given_as, datatype)
        else:
            made = column(given_as, datatype)
            assert made.dtype == FLOATS[datatype]
            np.testing.assert_array_equal(made, expected)


@given(st.lists(TEXT | st.binary() | st.none() | st.just(NAN) | st.just(pandas.NA)))
def test_strings_are_kept_and_missing_ones_are_empty(values: list[Any]) -> None:
    expected = [value if isinstance(value, str | bytes) else "" for value in values]
    assert column(values, "BYTES").tolist() == expected
    assert column(pandas.Series(values, dtype=object), "BYTES").tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pandas.Series([1, None, 3], dtype="Int64"),
        pandas.Series([1, pandas.NA, 3], dtype=object),
        pandas.Series([1, NAN, 3]),
        polars.Series([1, None, 3]),
        [1, None, 3],
        [1, np.float32(NAN), 3],
        pandas.Series(pandas.Categorical([1, None, 3])),
    ],
)
def test_missing_numbers_are_nan_or_refused(values: Any) -> None:
    np.testing.assert_array_equal(column(values, "FP32"), np.array([1, NAN, 3], np.float32))
    with pytest.raises(InputError, match="input 'x', row 1 is missing, for which INT64 has no"):
        column(values, "INT64")


@pytest.mark.parametrize(
    "values",
    [
        pandas.Series(["a", None, "b"]),
        pandas.Series(["a", None, "b"], dtype="string"),
        pandas.Series(["a", None, "b"], dtype="category"),
        polars.Series(["a", None, "b"]),
        polars.Series(["a", None, "b"], dtype=polars.Categorical),
        np.array(["a", None, "b"], np.dtypes.StringDType(na_object=None)),
        ArrowTable.Column(["a", None, "b"]),
    ],
)
def test_missing_strings_are_empty(values: Any) -> None:
    assert column(values, "BYTES").tolist() == ["a", "", "b"]


def test_booleans_are_numbers_where_numbers_are_taken_and_never_the_reverse() -> None:
    nullable = pandas.Series([True, False], dtype="boolean")
    for values in ([True, False], np.array([True, False]), nullable):
        assert column(values, "BOOL").tolist() == [True, False]
        assert column(values, "INT8").tolist() == [1, 0]
        assert column(values, "FP16").tolist() == [1, 0]
    for values in ([True, 1], np.array([1, 0])):
        with pytest.raises(InputError, match=r"BOOL,? (which )?takes booleans"):
            column(values, "BOOL")


@pytest.mark.parametrize(
    ("values", "datatype", "message"),
    [
        (pandas.Series(pandas.to_datetime(["2026-11-21"])), "INT64", "dates and times have no"),
        (pandas.Series(pandas.to_datetime(["2026-11-21"], utc=True)), "BYTES", "row 0 is Timest"),
        (
            polars.Series([datetime.date(2026, 11, 21)]),
            "FP32",
            "row 0 is date: dates and times have no",
        ),
        ([datetime.datetime(2026, 11, 21)], "FP64", "row 0 is datetime: dates and times have"),  # noqa: DTZ001
        (pandas.Series([True, None], dtype="boolean"), "BOOL", "row 1 is missing, for which BOOL"),
        (["a", 1], "BYTES", "row 1 is 1, BYTES takes strings and bytes"),
        (np.array([1]), "BYTES", "dtype int64 is no BYTES, which takes strings"),
        (np.array(["1"]), "FP32", "row 0 is str, FP32 takes numbers up to 3.40282e"),
        ([1, "2"], "INT8", "row 1 is str, INT8 takes whole numbers from -128 to 127"),
        ([1.5], "INT8", "row 0 is 1.5, INT8 takes whole"),
        ([1 << 9999], "INT64", "row 0 is an integer of 10000 bits, INT64 takes"),
        ([1 << 9999], "FP64", "row 0 is an integer of 10000 bits, FP64 takes"),
        ([1j], "FP64", "row 0 is complex, FP64 takes"),
        (np.array([1j]), "FP64", "dtype complex128 is no FP64"),
        ([1], "FP99", "datatype 'FP99' is unknown"),
        (np.array([1]), "FP99", "dtype int64 is no FP99"),
        ("abc", "BYTES", "a column of values is needed, not str"),
        ({"a": 1}, "INT8", "a column of values is needed, not dict"),
        (np.float32(1), "FP32", "a column of values is needed, not float32"),
        ({1, 2}, "INT8", "a column of values is needed, not set"),
        ([[1, 2], [3]], "INT8", "row 1 has list of 1, lists of 2 as the first are needed"),
        ([[1, 2], 3], "INT8", "row 1 has int, lists of 2 as the first are needed"),
        ([[1, 2], [3, 400]], "INT8", "row 1 is 400"),
        (np.array([[1, 2], [3, 400]]), "INT8", "row 1 is 400"),
        (np.array([[1, 2], [3, None]]), "INT8", "row 1 is missing"),
        (np.array([[1, 2], [3, NAN]]), "INT8", "row 1 is missing"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_column_and_row(
    values: Any, datatype: str, message: str
) -> None:
    with pytest.raises(InputError, match=f"input 'x'(, |: ){message}"):
        column(values, datatype)


def test_a_column_that_fits_is_not_copied() -> None:
    frame = pandas.DataFrame({"x": np.arange(6, dtype=np.float32)})
    assert np.shares_memory(column(frame["x"], "FP32"), frame["x"].to_numpy())
    strided = np.arange(6, dtype=np.int16)[::-2]
    assert np.shares_memory(column(strided, "INT16", 1), strided)


def test_values_that_are_lists_give_further_dimensions() -> None:
    nested = [[[1, 2, 3], [4, 5, 6]]]
    np.testing.assert_array_equal(column(nested, "FP32", 2, 3), np.array(nested, np.float32))
    lists = polars.Series([[1.5, 2.5], [3.5, 4.5]])
    assert column(lists, "FP64", 2).tolist() == [[1.5, 2.5], [3.5, 4.5]]
    assert column([["a", None]], "BYTES", 2).tolist() == [["a", ""]]


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame])
def test_a_frame_for_one_input_is_its_columns_side_by_side(make: Any) -> None:
    frame = make({"a": [1, 2], "b": [3, None], "c": [True, False]})
    made = column(frame, "FP32", 3)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, np.array([[1, 3, 1], [2, NAN, 0]], np.float32))
    with pytest.raises(InputError, match="input 'x', column 'b', row 1 is missing"):
        column(frame, "INT64", 3)
    with pytest.raises(InputError, match=r"input 'x': one column has one value a row.*frame"):
        column(frame["a"], "FP32", 3)


def test_a_table_of_unknown_or_unclear_columns_is_refused() -> None:
    declared = [tensor("x", "FP32", 2), tensor("y", "BYTES")]
    cases: list[tuple[Any, str]] = [
        (pandas.DataFrame({"z": [1]}), r"column 'z': the model has no such input; it has 'x' FP32"),
        (pandas.DataFrame([[1, 2]], columns=["x", "x"]), "column 'x' is there twice"),
        (pandas.DataFrame([[1, 2]]), "column 0: its name is int, not str"),
        ([[1, 2]], r"has 2 inputs \('x', 'y'\), which list does not name"),
        (pandas.Series([1]), "has 2 inputs .* which Series does not name"),
        ([{"x": [1, 2]}, 5], "row 1 is int, the first one is a dict"),
        ({"x": pandas.DataFrame()}, "input 'x': a frame with columns of single values is needed"),
        ({"x": polars.DataFrame({"a": [[1, 2]]})}, "input 'x': a frame with columns of single"),
        (polars.DataFrame({"x": [{"a": 1}]}), "input 'x', row 0 is dict, FP32 takes numbers"),
    ]
    for data, message in cases:
        with pytest.raises(InputError, match=message):
            from_columns(data, declared)
    with pytest.raises(InputError, match="a table with named columns is needed, not list"):
        from_columns([1, 2])


def test_empty_columns_have_the_datatype_of_the_model() -> None:
    for make in (pandas.DataFrame, polars.DataFrame, dict):
        arrays = from_columns(make({"age": [], "city": []}), DECLARED)
        assert arrays["age"].dtype == np.int32
        assert arrays["age"].shape == (0, 1)
        assert arrays["city"].shape == (0, 1, 1)
    assert column(np.empty((0, 4), object), "BYTES", 4).shape == (0, 4)
    assert from_columns([], [tensor("x", "FP32")])["x"].shape == (0,)


def test_rows_without_a_key_miss_its_value() -> None:
    rows: list[dict[str, Any]] = [{"x": 1.5}, {"y": "b"}, {"y": "c", "x": 2.5}]
    arrays = from_columns(rows, [tensor("y", "BYTES"), tensor("x", "FP32")])
    np.testing.assert_array_equal(arrays["x"], np.array([1.5, NAN, 2.5], np.float32))
    assert arrays["y"].tolist() == ["", "b", "c"]


def test_without_a_model_columns_have_their_own_datatype() -> None:
    columns: dict[str, list[Any]] = {
        "BOOL": [True, np.bool_(False)],
        "INT64": [1, np.int8(2)],
        "FP64": [1, 2.5],
        "missing": [decimal.Decimal("1.5"), None],
        "BYTES": ["a", None],
    }
    arrays = from_columns(columns)
    kinds = {name: array.dtype.kind for name, array in arrays.items()}
    assert kinds == {"BOOL": "b", "INT64": "i", "FP64": "f", "missing": "f", "BYTES": "O"}
    numbers = np.arange(3, dtype=np.int16)
    assert from_columns(pandas.DataFrame({"x": numbers}))["x"].dtype == np.int16
    assert from_columns({"x": np.array(["é", "a\0b"])})["x"].tolist() == ["é", "a\0b"]
