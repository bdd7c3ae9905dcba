"""Rows as a table into a model with an input for each column: the answers of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from penstock_client import Client, InputError
from support.blocking_client import BlockingClient
from support.made_models import save_columns
from support.tables import rows_of

ROWS = 257
TABLES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": pandas.DataFrame,
    "polars": polars.DataFrame,
    "columns": dict,
    "rows": rows_of,
    "list": lambda columns: list(columns.values()),
}


@pytest.fixture(scope="module")
def address(start_shared_server: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    model = save_columns(tmp_path_factory.mktemp("models") / "people.onnx")
    served: str = start_shared_server(model).address
    return served


@pytest.fixture(scope="module")
def columns() -> dict[str, list[Any]]:
    random = np.random.default_rng(20261121)
    cities = ["Köln", "東京", "", "New York", "a\0b"]
    return {
        "age": random.integers(0, 100, ROWS).tolist(),
        "height": random.normal(size=ROWS).tolist(),
        "city": [cities[index] for index in random.integers(0, len(cities), ROWS)],
        "member": (random.random(ROWS) < 0.5).tolist(),
    }


@pytest.mark.parametrize("make_client", [Client, BlockingClient], ids=["Client", "AsyncClient"])
@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_gives_the_answers_of_arrays(
    address: str, columns: dict[str, list[Any]], make: Any, make_client: Any
) -> None:
    arrays = {
        "age": np.array(columns["age"], np.int64).reshape(-1, 1),
        "height": np.array(columns["height"], np.float32).reshape(-1, 1),
        "city": np.array(columns["city"], object),
        "member": np.array(columns["member"]),
    }
    with make_client(address) as client:
        expected = client.infer("people", arrays)
        answer = client.infer("people", make(columns))
    np.testing.assert_array_equal(expected["sum"], arrays["height"] + arrays["age"].astype("f4"))
    assert expected["known"].tolist() == [city.encode() for city in columns["city"]]
    for name in ("sum", "known", "guest"):
        np.testing.assert_array_equal(answer[name], expected[name])


def test_missing_values_follow_the_rule(address: str) -> None:
    frame = pandas.DataFrame(
        {"age": [1, 2], "height": [1.5, None], "city": [None, "Rom"], "member": [True, False]}
    )
    with Client(address) as client:
        answer = client.infer("people", frame)
        np.testing.assert_array_equal(answer["sum"], np.array([[2.5], [np.nan]], np.float32))
        assert answer["known"].tolist() == [b"", b"Rom"]
        with pytest.raises(InputError, match="input 'age', row 1 is missing, for which INT64"):
            client.infer("people", frame.assign(age=[1, None]))
        with pytest.raises(InputError, match="column 'name': the model has no such input; it has"):
            client.infer("people", frame.assign(name=["a", "b"]))


def test_a_frame_is_one_tensor_where_that_is_said(start_server: Any) -> None:
    server = start_server("two_by_two")
    a = polars.DataFrame({name: [0.5, 1.5, 2.5] for name in "wxyz"})
    b = pandas.DataFrame({name: [1, 2, 3] for name in "wxyz"})
    with Client(server.address) as client:
        answer = client.infer("two_by_two", {"a": a, "b": b})
    expected = a.to_numpy().astype(np.float32) * b.to_numpy().astype(np.float32)
    np.testing.assert_array_equal(answer["product"], expected)
