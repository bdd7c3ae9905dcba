"""The table of the tabular benchmark: 20 mixed columns, the pipeline that is fitted on them, and a
row of it as a request and as a frame."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

MODEL = "table"
OUTPUT = "probabilities"
NUMBERS = [f"number{index}" for index in range(12)]
TEXTS = [f"text{index}" for index in range(5)]
CODES = ["code0", "code1"]
FLAG = "flag"
_SEED = 20261121


def frame(rows: int, seed: int = _SEED) -> pd.DataFrame:
    """Gaps in one number of twenty and in one text of twenty; texts of 4 to 60 categories."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for name in NUMBERS:
        columns[name] = random.normal(10, 4, rows)
        columns[name][random.random(rows) < 0.05] = np.nan
    for name, count in zip(TEXTS, (4, 8, 15, 30, 60), strict=True):
        columns[name] = random.choice([f"category {n}" for n in range(count)], rows).astype(object)
        columns[name][random.random(rows) < 0.05] = np.nan
    for name in CODES:
        columns[name] = random.integers(0, 12, rows)
    columns[FLAG] = random.random(rows) < 0.4
    return pd.DataFrame(columns)


def fitted() -> Pipeline:
    """What a project of this size would have: every kind of column in a way of its own."""
    columns = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                NUMBERS[:10],
            ),
            (
                "bins",
                make_pipeline(
                    SimpleImputer(), KBinsDiscretizer(6, encode="onehot-dense", strategy="uniform")
                ),
                NUMBERS[10:],
            ),
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                TEXTS[:4],
            ),
            (
                "many",
                OrdinalEncoder(
                    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
                ),
                TEXTS[4:],
            ),
            ("codes", OneHotEncoder(handle_unknown="ignore"), CODES),
            ("flag", "passthrough", [FLAG]),
        ],
        sparse_threshold=0,
    )
    data = frame(4000)
    score = data["number0"].fillna(10) + 4 * (data["text0"] == "category 1") - 3 * data[FLAG]
    trees = GradientBoostingClassifier(n_estimators=100, max_depth=4, random_state=_SEED)
    return Pipeline([("columns", columns), ("trees", trees)]).fit(data, score > score.median())


def request_of(messages: Any, row: pd.DataFrame, datatypes: Mapping[str, str]) -> bytes:
    """One row, a tensor for each column; the columns and types are the declaration's."""
    request = messages.request(model_name=MODEL)
    for name, datatype in datatypes.items():
        request.inputs.add(name=name, datatype=datatype, shape=[1])
        request.raw_input_contents.append(_raw(row[name].iloc[0], datatype))
    request.outputs.add(name=OUTPUT)
    data: bytes = request.SerializeToString()
    return data


def _raw(value: Any, datatype: str) -> bytes:
    if datatype == "BYTES":
        text = value.encode() if isinstance(value, str) else b""
        return struct.pack("<I", len(text)) + text
    return np.array(value, _DTYPES[datatype]).tobytes()


def row_of(request: Any) -> pd.DataFrame:
    """The frame that a Python server makes of such a request."""
    columns = {}
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        if tensor.datatype == "BYTES":
            text = raw[4:].decode()
            columns[tensor.name] = np.array([text or np.nan], object)
        else:
            columns[tensor.name] = np.frombuffer(raw, _DTYPES[tensor.datatype])
    return pd.DataFrame(columns)


_DTYPES = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_}
