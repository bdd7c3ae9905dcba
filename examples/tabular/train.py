"""Trains the tabular example and writes what `penstock serve` needs, by `penstock
export-preprocessing`.

    pip install scikit-learn pandas skl2onnx
    python examples/tabular/train.py [FOLDER]      # default: beside this file

Writes FOLDER/models/diabetes/model.yaml and 1/model.onnx; held_out.json (rows that training never
saw and what scikit-learn predicts for them), metrics.json.

The rows are scikit-learn's diabetes data: 442 patients, ten numbers each, and how far the disease
went in a year. No data set that scikit-learn carries mixes numbers and texts, so `patients` makes
texts, a boolean and gaps of some of the numbers: enough for a mixed table, nothing about medicine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from penstock.cli import main as penstock
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

SEED = 7
HELD_OUT_SHARE = 0.25
SAMPLES = 20
NUMBERS = ["bmi", "blood_pressure", "total_cholesterol", "ldl", "hdl", "ratio", "ltg", "glucose"]
SEXES = {1: "a", 2: "b"}  # the data's authors do not say which is which
WEIGHTS = [(18.5, "underweight"), (25, "normal"), (30, "overweight"), (np.inf, "obese")]
GAPS = {"glucose": 0.15, "ltg": 0.1, "region": 0.2}  # shares that are missing
REGIONS = ["north", "south", "São Paulo", "東京"]


def patients() -> tuple[pd.DataFrame, pd.Series]:
    """A frame of mixed columns, and whether the disease went further than the median."""
    raw = load_diabetes(as_frame=True, scaled=False)
    random = np.random.default_rng(SEED)
    data = raw.data.rename(
        columns=dict(zip(["bp", *(f"s{n}" for n in range(1, 7))], NUMBERS[1:], strict=True))
    )
    data["sex"] = data["sex"].map(SEXES).astype(object)
    data["weight"] = [next(name for end, name in WEIGHTS if bmi < end) for bmi in data["bmi"]]
    data["hypertensive"] = data["blood_pressure"] > 100
    data["region"] = random.choice(REGIONS, len(data))
    data = data.astype({"weight": object, "region": object})
    for name, share in GAPS.items():
        data.loc[random.random(len(data)) < share, name] = np.nan
    return data, raw.target > raw.target.median()


def make_pipeline_of_patients() -> Pipeline:
    """Every column in a way of its own, and trees."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("age", KBinsDiscretizer(5, encode="onehot-dense", strategy="uniform"), ["age"]),
            ("sex", OneHotEncoder(drop="if_binary"), ["sex"]),
            (
                "region",
                make_pipeline(
                    SimpleImputer(strategy="constant", fill_value="unknown"),
                    OneHotEncoder(handle_unknown="ignore"),
                ),
                ["region"],
            ),
            (
                "weight",
                OrdinalEncoder(
                    categories=[[name for _, name in WEIGHTS]],
                    handle_unknown="use_encoded_value",
                    unknown_value=-1,
                ),
                ["weight"],
            ),
            ("hypertensive", OneHotEncoder(drop="if_binary"), ["hypertensive"]),
        ],
        sparse_threshold=0,
    )
    trees = GradientBoostingClassifier(n_estimators=60, max_depth=3, random_state=SEED)
    return Pipeline([("columns", columns), ("trees", trees)])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    data, further = patients()
    train, test, train_labels, test_labels = train_test_split(
        data, further, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=further
    )
    pipeline = make_pipeline_of_patients().fit(train, train_labels)
    probabilities = pipeline.predict_proba(test)[:, 1]
    export(pipeline, folder / "models" / "diabetes")
    metrics = {
        "held_out_roc_auc": round(float(roc_auc_score(test_labels, probabilities)), 4),
        "held_out_rows": len(test),
        "training_rows": len(train),
        "seed": SEED,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    lines = [
        json.dumps(
            {"row": plain(row), "went_further": bool(label), "probability": round(float(seen), 6)},
            ensure_ascii=False,
        )
        for (_, row), label, seen in list(
            zip(test.iterrows(), test_labels, probabilities, strict=True)
        )[:SAMPLES]
    ]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    (folder / "held_out.json").write_text(text, encoding="utf-8")
    print(json.dumps(metrics))


def export(pipeline: Pipeline, folder: Path) -> None:
    """The fitted pipeline as a model folder, the way a user's would be."""
    (folder / "1").mkdir(parents=True, exist_ok=True)
    yaml, onnx = folder / "model.yaml", folder / "1" / "model.onnx"
    for path in (yaml, onnx):
        path.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".joblib") as file:
        joblib.dump(pipeline, file.name)
        command = ["export-preprocessing", file.name, "--output", str(yaml), "--onnx", str(onnx)]
        if penstock(command) != 0:
            sys.exit(1)


def plain(row: Any) -> dict[str, Any]:
    """JSON has no NaN: what is missing is null."""
    values = {name: getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
    return {name: None if value != value else value for name, value in values.items()}


if __name__ == "__main__":
    main()
