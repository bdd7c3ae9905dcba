"""penstock.Engine with tables and bare arrays: the client's conversions, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from penstock import Engine, InvalidRequestError
from penstock.columns import from_columns
from support.made_models import save_columns
from support.tables import rows_of

COLUMNS: dict[str, list[Any]] = {
    "age": [31, 52],
    "height": [1.75, None],
    "city": ["K\u00f6ln", None],
    "member": [True, False],
}
X = np.random.default_rng(20261121).uniform(-1, 1, (2, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def engine(test_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    people = save_columns(tmp_path_factory.mktemp("models") / "people.onnx")
    named = [test_models / f"{name}.onnx" for name in ("mlp", "identity_bf16")]
    with Engine([people, *named]) as engine:
        yield engine
    assert engine.live_calls() == 0


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, rows_of])
def test_infer_table_is_converted_as_by_the_client(
    engine: Engine, make: Callable[[dict[str, list[Any]]], Any]
) -> None:
    table = make(COLUMNS)
    for answer in (
        engine.infer("people", table),
        asyncio.run(engine.infer_async("people", table)),
    ):
        np.testing.assert_array_equal(answer["sum"], np.array([[32.75], [np.nan]], np.float32))
        assert answer["known"].tolist() == ["K\u00f6ln".encode(), b""]
        assert answer["guest"].tolist() == [False, True]


def test_infer_column_that_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="input 'age', row 1 is missing, for which INT64"):
        engine.infer("people", [{"age": 1}, {"age": None}])
    with pytest.raises(InvalidRequestError, match=r"input '.*' is missing"):
        engine.infer("people", [{"age": 1}])


def test_from_columns_converts_arrays_too(engine: Engine) -> None:
    people = next(model for model in engine.models if model.name == "people")
    columns = {name: np.array(values) for name, values in COLUMNS.items()}
    arrays = from_columns(columns, people.inputs)
    assert arrays["age"].shape == (2, 1)
    assert arrays["height"].dtype == np.float32
    assert engine.infer("people", arrays)["guest"].tolist() == [False, True]


def test_infer_bf16_column_is_rounded_to_the_nearest(engine: Engine) -> None:
    width = next(model for model in engine.models if model.name == "identity_bf16").inputs[0].shape
    assert width == [-1, 3]
    answer = engine.infer("identity_bf16", [{"x": [1.0, 2.5, 1 + 2**-9]}])
    assert answer["y"].tolist() == [[1.0, 2.5, 1.0]]


def test_infer_bare_array_is_the_only_input_and_is_not_cast(engine: Engine) -> None:
    np.testing.assert_array_equal(engine.infer("mlp", X)["y"], engine.infer("mlp", {"x": X})["y"])
    with pytest.raises(InvalidRequestError, match="datatype 'FP64'"):
        engine.infer("mlp", X.astype(float))
