"""The `columns` step: answers to declarations that cannot work, and what plain ones do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import pytest
from penstock.errors import ConfigError, InvalidRequestError
from penstock.preprocess import Pipeline


def chains(features: list[dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
    """Of `age` (numbers) and `city` (texts) to `row`."""
    columns = {"inputs": {"age": "FP64", "city": "BYTES"}, "features": features, **settings}
    return [{"from": ["age", "city"], "to": "row", "steps": [{"columns": columns}]}]


AGE = {"column": "age"}
CITY = {"column": "city", "steps": [{"ordinal": {"categories": ["Rome", None], "unknown": -1}}]}


@pytest.mark.parametrize(
    ("features", "settings", "message"),
    [
        ([AGE], {}, "columns.inputs: no feature uses input 1"),
        (
            [AGE, CITY],
            {"inputs": {"age": "FP64"}},
            "columns.inputs: names 'age', and `from` 'age',",
        ),
        ([AGE, CITY], {"inputs": {"age": "FP16", "city": "BYTES"}}, "columns.inputs.age:"),
        ([AGE, {}], {}, "columns.features[1]: give column, or columns"),
        ([AGE, CITY, {"column": "ago"}], {}, "columns.features[2]: no input has a column 'ago'"),
        ([AGE, {"column": "city"}], {}, "columns.features[1]: strings are left; one_hot,"),
        (
            [CITY, {**AGE, "steps": [{"clip": {}}, {"scale": {"divide": "x"}}]}],
            {},
            "columns.features[1].steps[1].scale.divide: Input should be a valid number",
        ),
        (
            [CITY, {**AGE, "steps": [{"scale": {"divide": 0}}]}],
            {},
            "columns.features[1].steps[0].scale: divide is 0",
        ),
        ([CITY, {**AGE, "steps": [{"sclae": {}}]}], {}, "columns.features[1].steps[0].sclae:"),
        (
            [CITY, {**AGE, "steps": [{"clip": {}, "scale": {}}]}],
            {},
            "columns.features[1].steps[0]: expected one step's name with its settings",
        ),
        ([CITY, {**AGE, "to": "raw"}], {}, "columns.features[1].to: `to` of the chain does not"),
        (
            [CITY, AGE],
            {"datatypes": {"raw": "FP32"}},
            "columns.datatypes: `to` does not name 'raw'",
        ),
        ([CITY, AGE], {"datatype": "FP16"}, "columns.datatype: Input should be 'FP32',"),
        (
            [
                AGE,
                {"column": "city", "steps": [{"one_hot": {"categories": [], "unknown": "other"}}]},
            ],
            {},
            "columns.features[1].steps[0].one_hot: unknown is other, and other does not stand",
        ),
    ],
)
def test_config_that_cannot_work_names_the_place(
    features: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        Pipeline(chains(features, **settings))
    assert str(raised.value).startswith(f"chains[0].steps[0].{message}")


def test_second_step_in_the_chain_is_refused() -> None:
    made = chains([AGE, CITY])
    made[0]["steps"] *= 2
    with pytest.raises(ConfigError, match=r"steps\[1\].columns: stands alone in its chain"):
        Pipeline(made)


def test_missing_numbers_follow_the_policy() -> None:
    row = {"age": np.array([1.0, math.nan]), "city": ["Rome", ""]}
    with pytest.raises(InvalidRequestError, match=r"row 1: column 'age' is NaN \(missing\), and"):
        Pipeline(chains([AGE, CITY]))(row)
    for settings in ({"missing": "keep"}, {}):
        features = [AGE if settings else {**AGE, "missing": "keep"}, CITY]
        made = Pipeline(chains(features, **settings))(row)["row"]
        np.testing.assert_array_equal(made, np.array([[1, 0], [math.nan, 1]], np.float32))


def test_columns_become_what_the_chain_takes() -> None:
    features = [{**AGE, "missing": "keep"}, CITY]
    pipeline = Pipeline(chains(features))
    whole = [{"age": 31, "city": None, "further": True}]
    for batch in (whole, pandas.DataFrame(whole), {"age": [31], "city": [None]}):
        typed = {"age": np.array([31.0]), "city": np.array([b""], object)}
        np.testing.assert_array_equal(pipeline(batch)["row"], pipeline(typed)["row"])
    with pytest.raises(ValueError, match="input 'age', row 1 is str, FP64 takes numbers"):
        pipeline([{"age": 1, "city": "Rome"}, {"age": "old", "city": "Rome"}])
    with pytest.raises(InvalidRequestError, match=r"input 'age': INT64 \[1\], the pipeline takes"):
        pipeline({"age": np.array([31]), "city": ["Rome"]})  # an array says what it is


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"unknown": "zeros"}, [[1, 0], [0, 1], [0, 0], [0, 0]]),
        ({"dropped": ["Oslo"]}, [[1, 0], [0, 1], [0, 0]]),
        ({"other": ["Oslo"], "unknown": "other"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]),
        ({"other": [], "unknown": "other"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]),
        ({"other": ["Oslo"], "unknown": "zeros"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]),
    ],
)
def test_one_hot_follows_the_policies(settings: Any, expected: list[list[int]]) -> None:
    one_hot = {"column": "city", "steps": [{"one_hot": {"categories": ["Rome", None], **settings}}]}
    pipeline = Pipeline(
        [
            {
                "from": "city",
                "to": "row",
                "steps": [{"columns": {"inputs": {"city": "BYTES"}, "features": [one_hot]}}],
            }
        ]
    )
    cities = ["Rome", "", "Oslo", "Bonn"][: len(expected)]
    np.testing.assert_array_equal(pipeline({"city": cities})["row"], expected)


def test_several_tensors_have_types_of_their_own() -> None:
    made = chains([{**AGE, "to": "number"}, CITY], datatypes={"row": "INT64"})
    made[0]["to"] = ["row", "number"]
    outputs = Pipeline(made)({"age": np.array([2.5]), "city": ["Oslo"]})
    assert (outputs["row"].dtype, outputs["number"].dtype) == (np.int64, np.float32)
    assert (outputs["row"].tolist(), outputs["number"].tolist()) == ([[-1]], [[2.5]])


def test_hash_is_that_of_prefix_and_text() -> None:
    from sklearn.feature_extraction import FeatureHasher

    step = {"hash": {"buckets": 32, "prefix": "city="}}
    made = Pipeline(chains([AGE, {"column": "city", "steps": [step]}]))
    cities = ["Rome", "Oslo", "東京"]
    expected = FeatureHasher(32).transform([{"city": city} for city in cities]).toarray()
    hashed = made({"age": np.zeros(3), "city": cities})["row"][:, 1:]
    np.testing.assert_array_equal(hashed, expected)
    with pytest.raises(InvalidRequestError, match="row 0: column 'city' has 65537 bytes, at most"):
        made({"age": np.zeros(1), "city": ["x" * 65537]})


def test_large_integers_are_told_apart() -> None:
    large = 2**53 + 1
    ordinal = {"column": "id", "steps": [{"ordinal": {"categories": [large - 1, large]}}]}
    columns = {"inputs": {"id": "INT64"}, "features": [ordinal]}
    pipeline = Pipeline([{"from": "id", "to": "row", "steps": [{"columns": columns}]}])
    assert pipeline({"id": np.array([large, large - 1])})["row"].tolist() == [[1], [0]]
