"""A fitted scikit-learn transformer and its export make the same numbers: in FP64 the same bits but
for the last ones, one-hot exactly. Transformers and frames are drawn at random."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from penstock.errors import ExportError, InvalidRequestError
from penstock.preprocess import Pipeline as Columns
from penstock.preprocess import export_sklearn
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

CITIES = ["Paris", "São Paulo", "Sa\u0303o Paulo", "東京", "a" * 40, "Roma", "x", "🙂"]
COLORS = ["red", "green", "blue"]
NUMBERS = ["age", "fare", "size"]


def frame(seed: int, rows: int, unknown: bool = False) -> pd.DataFrame:
    """Numbers and texts with missing ones among them; small integers and booleans."""
    random = np.random.default_rng(seed)
    cities = [*CITIES, "Atlantis", "", "paris"] if unknown else CITIES
    weights = np.geomspace(1, 0.02, len(cities))
    data = pd.DataFrame(
        {
            "age": random.normal(40, 15, rows),
            "fare": random.lognormal(3, 2, rows),
            "size": random.integers(-3, 4, rows).astype(np.float64),
            "city": random.choice(cities, rows, p=weights / weights.sum()).astype(object),
            "color": random.choice(COLORS, rows).astype(object),
            "grade": random.integers(0, 7 if unknown else 5, rows),
            "member": random.random(rows) < 0.3,
        }
    )
    for name in ("age", "fare", "city"):
        missing = random.random(rows) < 0.1
        data.loc[missing, name] = None if name == "city" else np.nan
    return data


def sent(data: pd.DataFrame, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a client sends of the frame: missing texts are empty."""
    settings = config["preprocessing"][0]["steps"][0]["columns"]
    tensors = {}
    for name, given in settings["inputs"].items():
        if isinstance(given, dict):
            tensors[name] = np.ascontiguousarray(data.to_numpy(), np.float64)
        elif given == "BYTES":
            texts = ["" if value is None or value is np.nan else value for value in data[name]]
            tensors[name] = np.array(texts, object)
        else:
            kinds = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "BOOL": np.bool_}
            tensors[name] = data[name].to_numpy().astype(kinds[given])
    return tensors


def ours(transformer: Any, data: pd.DataFrame, datatype: str = "FP64", **export: Any) -> Any:
    config = export_sklearn(transformer, **export)
    config["preprocessing"][0]["steps"][0]["columns"]["datatype"] = datatype
    return Columns(config["preprocessing"])(sent(data, config))["features"]


def theirs(transformer: Any, data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown categories
        made = transformer.transform(data)
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, np.float64)


def assert_same(transformer: Any, data: pd.DataFrame) -> None:
    expected = theirs(transformer, data)
    np.testing.assert_allclose(ours(transformer, data), expected, rtol=1e-14, atol=1e-14)
    # Half a unit of the last place, where sums cancel of their terms.
    with np.errstate(over="ignore"):
        single = expected.astype(np.float32)
    np.testing.assert_allclose(ours(transformer, data, "FP32"), single, rtol=2e-7, atol=2e-7)


def numeric(random: np.random.Generator) -> Any:
    scalers = [
        StandardScaler(with_mean=bool(random.integers(2)), with_std=bool(random.integers(2))),
        MinMaxScaler(feature_range=(-1, 2), clip=bool(random.integers(2))),
        MaxAbsScaler(),
        RobustScaler(quantile_range=(10, 80), with_centering=bool(random.integers(2))),
        KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"),
        KBinsDiscretizer(3, encode="onehot", strategy="uniform"),
        Binarizer(threshold=1.5),
        "passthrough",
    ]
    scaler = scalers[random.integers(len(scalers))]
    imputer = SimpleImputer(
        strategy=["mean", "median", "most_frequent", "constant"][random.integers(4)],
        add_indicator=bool(random.integers(2)),
    )
    return Pipeline([("fill", imputer), ("scale", scaler)])


def categorical(random: np.random.Generator) -> Any:
    rare: dict[str, Any] = [{}, {"min_frequency": 0.05}, {"max_categories": 4}][random.integers(3)]
    encoders = [
        OneHotEncoder(handle_unknown="ignore", **rare),
        OneHotEncoder(handle_unknown="infrequent_if_exist", **rare),
        OneHotEncoder(handle_unknown="ignore", drop="first", **rare),
        OneHotEncoder(handle_unknown="infrequent_if_exist", drop="if_binary", **rare),
        OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=[-1, np.nan][random.integers(2)],
            encoded_missing_value=-7,
            **rare,
        ),
    ]
    encoder = encoders[random.integers(len(encoders))]
    fills = [None, SimpleImputer(strategy="most_frequent")]
    return make_pipeline(fills[random.integers(2)] or "passthrough", encoder)


@pytest.mark.parametrize("seed", range(60))
def test_random_column_transformer_makes_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    transformer = ColumnTransformer(
        [
            ("numbers", numeric(random), [*NUMBERS[: 1 + random.integers(3)]]),
            ("again", StandardScaler(), make_column_selector(dtype_include="float64")),
            ("city", categorical(random), ["city"]),
            ("others", categorical(random), ["color"]),
            ("codes", OneHotEncoder(handle_unknown="ignore"), ["grade", "member"]),
            ("gone", "drop", ["size"]),
        ],
        remainder=["drop", "passthrough"][random.integers(2)],
        transformer_weights={"again": 2.5},
        sparse_threshold=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bins that are too narrow
        transformer.fit(frame(seed, 300))
    # An empty text is a missing one here, and a category like any other there.
    data = frame(seed + 1000, 200, unknown=True).replace({"city": {"": "nowhere"}})
    assert_same(transformer, data)


def test_union_selection_and_indicator_make_the_same() -> None:
    numbers = FeatureUnion(
        [
            ("scaled", make_pipeline(SimpleImputer(), StandardScaler(), VarianceThreshold())),
            ("missing", MissingIndicator(features="all")),
        ],
        transformer_weights={"missing": 3},
    )
    texts = make_pipeline(OneHotEncoder(), VarianceThreshold(0.05))
    transformer = ColumnTransformer([("n", numbers, NUMBERS), ("t", texts, ["city", "color"])])
    transformer.fit(frame(1, 400))
    assert_same(transformer, frame(2, 300))


@pytest.mark.parametrize("classes", [2, 3])
def test_target_encoder_makes_the_same(classes: int) -> None:
    data = frame(3, 300)
    target = np.random.default_rng(3).integers(0, classes, 300)
    encoder = TargetEncoder(random_state=0).fit(data[["city", "grade"]], target)
    assert_same(encoder, frame(4, 100, unknown=True)[["city", "grade"]].replace("", "nowhere"))


def test_marker_stands_for_what_is_missing() -> None:
    data = frame(5, 100)[["size", "color"]]
    imputer = ColumnTransformer(
        [
            ("n", SimpleImputer(missing_values=-1, strategy="mean", add_indicator=True), ["size"]),
            (
                "t",
                make_pipeline(
                    SimpleImputer(missing_values="red", strategy="most_frequent"), OneHotEncoder()
                ),
                ["color"],
            ),
        ]
    ).fit(data)
    assert_same(imputer, frame(6, 80)[["size", "color"]])
    gone = pd.DataFrame({"size": [1.0, np.nan], "color": ["red", "red"]})
    with pytest.raises(InvalidRequestError, match=r"row 1: column 'size' is NaN \(missing\)"):
        ours(imputer, gone)


def test_frame_goes_in_as_it_is() -> None:
    transformer = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["city", "color"]),
            ("codes", OrdinalEncoder(), ["grade", "member"]),
        ],
        sparse_threshold=0,
    ).fit(frame(11, 300))
    data = frame(12, 100)
    made = Columns(export_sklearn(transformer)["preprocessing"])(data)["features"]
    np.testing.assert_allclose(made, theirs(transformer, data), rtol=2e-7, atol=2e-7)


def test_arrays_become_one_input() -> None:
    random = np.random.default_rng(7)
    data = random.normal(size=(50, 6))
    scaler = make_pipeline(StandardScaler(), KBinsDiscretizer(3, strategy="uniform")).fit(data)
    config = export_sklearn(scaler)
    assert config["preprocessing"][0]["from"] == ["x"]
    expected = theirs(scaler, data).astype(np.float32)
    made = Columns(config["preprocessing"])({"x": data})["features"]
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("alternate_sign", [True, False])
def test_hasher_of_text_columns_makes_the_same(alternate_sign: bool) -> None:
    random = np.random.default_rng(8)
    data = random.choice(CITIES, (60, 3)).astype(object)
    hasher = FeatureHasher(16, input_type="string", alternate_sign=alternate_sign)
    transformer = ColumnTransformer([("hashed", hasher, [0, 2]), ("codes", OrdinalEncoder(), [1])])
    transformer.fit(data)
    frame_of = pd.DataFrame(data, columns=["x0", "x1", "x2"])
    np.testing.assert_array_equal(ours(transformer, frame_of), theirs(transformer, data))


def test_unknown_categories_are_refused_where_scikit_learn_refuses() -> None:
    encoder = OneHotEncoder().fit(frame(9, 200)[["color"]])
    with pytest.raises(InvalidRequestError, match="row 2: column 'color' is 'pink', none of its 3"):
        ours(encoder, pd.DataFrame({"color": ["red", "blue", "pink"]}))


def test_what_has_no_equal_is_named_all_of_it() -> None:
    data = frame(10, 100).assign(code=pd.Series([1, 2.5] * 50, dtype=object))
    transformer = ColumnTransformer(
        [
            ("power", make_pipeline(SimpleImputer(), PolynomialFeatures(2)), ["age"]),
            ("log", FunctionTransformer(np.log1p), ["fare"]),
            ("late", Pipeline([("encode", OneHotEncoder())]), ["code"]),
            ("fine", StandardScaler(), ["size"]),
        ]
    ).fit(data)
    with pytest.raises(ExportError) as raised:
        export_sklearn(transformer)
    assert str(raised.value).splitlines() == [
        "cannot be exported:",
        "  transformer.power.polynomialfeatures: PolynomialFeatures has no step that does the same",
        "  transformer.log: FunctionTransformer calls the Python function 'log1p'",
        "  transformer.late.encode: OneHotEncoder has categories of several types in column 'code'",
    ]


@pytest.mark.parametrize(
    ("transformer", "values", "message"),
    [
        (OneHotEncoder(), ["", None, "a"], "the category '' in column 'x', where an empty string"),
        (
            make_pipeline(SimpleImputer(strategy="constant", fill_value="a"), OrdinalEncoder()),
            ["", "a", "b"],
            "OrdinalEncoder has the category '' in column 'x'",
        ),
        (OrdinalEncoder(), [None, math.nan, "a"], "tells two kinds of missing values apart"),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder()),
            [None, math.nan, "a", "a"],
            "OrdinalEncoder has a category for what is missing in column 'x'",
        ),
    ],
)
def test_texts_that_mean_two_things_are_named(
    transformer: Any, values: list[Any], message: str
) -> None:
    transformer.fit(pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    with pytest.raises(ExportError, match=message):
        export_sklearn(transformer)


def test_scaling_of_one_hot_columns_is_named() -> None:
    transformer = make_pipeline(OneHotEncoder(), MaxAbsScaler()).fit(frame(10, 50)[["color"]])
    with pytest.raises(ExportError, match="MaxAbsScaler behind one-hot or hashed columns"):
        export_sklearn(transformer)


def test_what_is_not_fitted_is_refused() -> None:
    with pytest.raises(ExportError, match="StandardScaler is not fitted"):
        export_sklearn(StandardScaler())
