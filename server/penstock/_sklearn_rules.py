"""What each of scikit-learn's transformers does to columns; those that hold others are not here.

What encoders do to their categories is asked of them, since missing values, rare and dropped
categories have rules of their own in every release.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from penstock._sklearn_columns import Cell, Hashed, Kinds, NoEqualError, OneHotSpread, Slot, Value

__all__ = ["RULES", "Rule", "values_of"]

# Raises NoEqualError, whose text goes on behind the transformer's name.
Rule: TypeAlias = Callable[[Kinds, Any, list[Cell]], list[Cell]]


def values_of(cells: Sequence[Cell]) -> list[Value]:
    """What works on one number or text of a row. Raises NoEqualError for slots."""
    values = [cell for cell in cells if isinstance(cell, Value)]
    if len(values) != len(cells):
        raise NoEqualError(" behind one-hot or hashed columns; put it before them")
    return values


# --- numbers --------------------------------------------------------------------------------------


def _scaled(
    steps: Callable[[Any, int], dict[str, float]],
    clip: Callable[[Any], tuple[float, float]] = lambda _: (-1, 1),
) -> Rule:
    def rule(kinds: Kinds, scaler: Any, cells: list[Cell]) -> list[Cell]:
        made: list[Cell] = []
        for index, cell in enumerate(values_of(cells)):
            kinds.learn(cell, "float")
            settings = {key: float(value) for key, value in steps(scaler, index).items()}
            scaled = cell.then("scale", **settings) if settings else cell
            if getattr(scaler, "clip", False):
                low, high = clip(scaler)
                scaled = scaled.then("clip", min=float(low), max=float(high))
            made.append(scaled)
        return made

    return rule


def _given(**arrays: tuple[Any, int]) -> dict[str, float]:
    return {key: values[index] for key, (values, index) in arrays.items() if values is not None}


def _simple_imputer(kinds: Kinds, imputer: Any, cells: list[Cell]) -> list[Cell]:
    made: list[Cell] = []
    marker = _plain(imputer.missing_values)
    values = values_of(cells)
    for cell, found in zip(values, imputer.statistics_, strict=True):
        statistic = _plain(found)
        if statistic is None:
            empty = found is not None and imputer.strategy != "constant"
            if empty and not imputer.keep_empty_features:
                continue  # a column without any value; transform leaves it out
            raise NoEqualError(f" has no value for column {cell.column!r}")
        kinds.learn(cell, "text" if isinstance(statistic, str) else "float")
        if marker is None:
            made.append(cell.then("impute", value=statistic))
        else:
            strict = replace(cell, refuse_missing=True)  # NaN is not what it looks for
            made.append(strict.then("impute", value=statistic, missing=marker))
    if imputer.add_indicator:
        made += _indicators(imputer.indicator_, values)
    return made


def _missing_indicator(kinds: Kinds, made: Any, cells: list[Cell]) -> list[Cell]:
    return _indicators(made, values_of(cells))


def _indicators(indicator: Any, cells: Sequence[Value]) -> list[Cell]:
    marker = _plain(indicator.missing_values)
    found = [cells[index] for index in indicator.features_]
    if marker is None:
        return [cell.then("is_missing") for cell in found]
    settings = {"categories": [marker], "values": [1.0], "unknown": 0.0}
    return [cell.then("ordinal", **settings) for cell in found]


def _k_bins(kinds: Kinds, binned: Any, cells: list[Cell]) -> list[Cell]:
    made: list[Cell] = []
    for cell, edges in zip(values_of(cells), binned.bin_edges_, strict=True):
        kinds.learn(cell, "float")
        inner = [float(edge) for edge in edges[1:-1]]
        strict = replace(cell, refuse_missing=True)
        # Without an edge between them all values are in the only bin.
        bins = strict.then("bucketize", edges=inner) if inner else strict.then("clip", min=0, max=0)
        if binned.encode == "ordinal":
            made.append(bins)
        else:
            count = len(inner) + 1
            made += _slots(bins, list(range(count)), list(range(count)), None)
    return made


def _binarizer(kinds: Kinds, binarizer: Any, cells: list[Cell]) -> list[Cell]:
    # Above the threshold is not below the next number.
    edge = float(np.nextafter(float(binarizer.threshold), math.inf))
    made: list[Cell] = []
    for cell in values_of(cells):
        kinds.learn(cell, "float")
        made.append(replace(cell, refuse_missing=True).then("bucketize", edges=[edge]))
    return made


def _function(kinds: Kinds, made: Any, cells: list[Cell]) -> list[Cell]:
    if made.func is not None:
        name = getattr(made.func, "__name__", repr(made.func))
        raise NoEqualError(f" calls the Python function {name!r}")
    return cells


def _selector(kinds: Kinds, selector: Any, cells: list[Cell]) -> list[Cell]:
    return [cell for cell, kept in zip(cells, selector.get_support(), strict=True) if kept]


# --- categories -----------------------------------------------------------------------------------


def _one_hot(kinds: Kinds, encoder: Any, cells: list[Cell]) -> list[Cell]:
    values = values_of(cells)
    categories = _categories(kinds, encoder, values)
    strict = encoder.handle_unknown == "error"
    answers = _asked(encoder, with_unknown=not strict)
    widths = _widths(encoder)
    made: list[Cell] = []
    start = 0
    for index, (cell, width) in enumerate(zip(values, widths, strict=True)):
        block = answers[:, start : start + width]
        slots = [int(row.argmax()) if row.any() else -1 for row in block]
        start += width
        count = len(categories[index])
        unknown = None if strict else slots[-1]
        made += _slots(cell, categories[index], slots[:count], unknown, width)
    return made


def _widths(encoder: Any) -> list[int]:
    """How many columns a OneHotEncoder makes of each of its own."""
    widths = []
    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    for index, categories in enumerate(encoder.categories_):
        size = len(categories)
        if rare[index] is not None:
            size -= len(rare[index]) - 1
        dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[index] is not None
        widths.append(size - dropped)
    return widths


def _slots(
    cell: Value, categories: list[Any], slots: list[int], unknown: int | None, width: int = 0
) -> list[Cell]:
    spread = OneHotSpread(value=cell, categories=categories, slots=slots, unknown=unknown)
    return [Slot(spread, index) for index in range(width or len(categories))]


def _ordinal(kinds: Kinds, encoder: Any, cells: list[Cell]) -> list[Cell]:
    values = values_of(cells)
    categories = _categories(kinds, encoder, values)
    strict = getattr(encoder, "handle_unknown", "") == "error"
    answers = _asked(encoder, with_unknown=not strict).astype(np.float64)
    each = answers.shape[1] // len(values)  # a TargetEncoder may make several, one for each class
    made: list[Cell] = []
    for index, cell in enumerate(values):
        count = len(categories[index])
        for column in range(index * each, (index + 1) * each):
            codes = [float(code) for code in answers[:, column]]
            settings: dict[str, Any] = {"categories": categories[index]}
            if codes[:count] != list(range(count)):
                settings["values"] = codes[:count]
            if not strict:
                settings["unknown"] = codes[-1]
            made.append(cell.then("ordinal", **settings))
    return made


def _categories(kinds: Kinds, encoder: Any, cells: Sequence[Value]) -> list[list[Any]]:
    """Of each column, as plain values; missing ones are None. Also learns what the column holds."""
    found = []
    for cell, array in zip(cells, encoder.categories_, strict=True):
        categories = [_plain(category) for category in array]
        if categories.count(None) > 1:
            raise NoEqualError(
                f" tells two kinds of missing values apart in column {cell.column!r}"
            )
        types = {_kind(category) for category in categories if category is not None}
        if len(types) > 1 or "other" in types:
            raise NoEqualError(f" has categories of several types in column {cell.column!r}")
        kind = types.pop() if types else "float"
        imputed = any("missing" not in step.get("impute", {"missing": 0}) for step in cell.steps)
        if None in categories and imputed:
            raise NoEqualError(
                f" has a category for what is missing in column {cell.column!r}, of another kind "
                "(None or NaN) than what is imputed before it"
            )
        if "" in categories and (None in categories or imputed):
            raise NoEqualError(
                f" has the category '' in column {cell.column!r}, where an empty string stands "
                "for a missing value"
            )
        missing = None in categories and kind != "text"
        kinds.learn(cell, "float" if missing else kind)
        found.append(categories)
    return found


def _asked(encoder: Any, with_unknown: bool) -> np.ndarray[Any, Any]:
    """What the encoder makes of its categories: in row r the r-th of each column (the first where
    it has fewer), and in one more row, where it is wanted, what none of them knows."""
    rows = max(len(categories) for categories in encoder.categories_)
    columns = []
    for categories in encoder.categories_:
        picked = [categories[row if row < len(categories) else 0] for row in range(rows)]
        if with_unknown:
            picked.append(_unknown_to(categories))
        columns.append(picked)
    with warnings.catch_warnings():
        # Of unknown categories, and of names of columns where there is no frame.
        warnings.simplefilter("ignore")
        made = encoder.transform(_frame(encoder, columns))
    if hasattr(made, "toarray"):
        made = made.toarray()
    return np.asarray(made)


def _frame(encoder: Any, columns: list[list[Any]]) -> Any:
    if hasattr(encoder, "feature_names_in_"):
        import pandas

        names = encoder.feature_names_in_
        return pandas.DataFrame(
            {
                name: pandas.Series(column, dtype=object if _any_text(column) else None)
                for name, column in zip(names, columns, strict=True)
            }
        )
    dtype = object if any(_any_text(column) for column in columns) else None
    return np.array(columns, dtype=dtype).T


def _any_text(column: Sequence[Any]) -> bool:
    return any(isinstance(entry, str) or entry is None for entry in column)


def _unknown_to(categories: Any) -> Any:
    present = [_plain(category) for category in categories]
    if any(isinstance(category, str) for category in present):
        return "unknown " + max((c for c in present if isinstance(c, str)), key=len)
    numbers = [category for category in present if category is not None]
    return max(numbers) + 1 if numbers else 0.0


def _feature_hasher(kinds: Kinds, hasher: Any, cells: list[Cell]) -> list[Cell]:
    if hasher.input_type != "string" or kinds.named:
        raise NoEqualError(
            " hashes rows of names and values; only input_type='string' on arrays has columns"
        )
    values = values_of(cells)
    if any(cell.steps for cell in values):
        raise NoEqualError(" comes behind other steps")
    for cell in values:
        kinds.learn(cell, "text")
    hashed = Hashed(
        columns=tuple(cell.column for cell in values),
        buckets=hasher.n_features,
        alternate_sign=bool(hasher.alternate_sign),
    )
    return [Slot(hashed, index) for index in range(hasher.n_features)]


def _plain(value: Any) -> Any:
    """A scalar of NumPy or pandas as Python's own; None for every form of missing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _kind(category: Any) -> str:
    names = {str: "text", bool: "bool", int: "integer", float: "float"}
    return names.get(type(category), "other")


RULES: dict[str, Rule] = {
    "FunctionTransformer": _function,
    "StandardScaler": _scaled(
        lambda made, index: _given(
            subtract=(made.mean_ if made.with_mean else None, index),
            divide=(made.scale_ if made.with_std else None, index),
        )
    ),
    "MinMaxScaler": _scaled(
        lambda made, index: _given(multiply=(made.scale_, index), add=(made.min_, index)),
        clip=lambda made: made.feature_range,
    ),
    "MaxAbsScaler": _scaled(lambda made, index: _given(divide=(made.scale_, index))),
    "RobustScaler": _scaled(
        lambda made, index: _given(
            subtract=(made.center_ if made.with_centering else None, index),
            divide=(made.scale_ if made.with_scaling else None, index),
        )
    ),
    "SimpleImputer": _simple_imputer,
    "MissingIndicator": _missing_indicator,
    "KBinsDiscretizer": _k_bins,
    "Binarizer": _binarizer,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "TargetEncoder": _ordinal,
    "FeatureHasher": _feature_hasher,
    **dict.fromkeys(
        (
            "VarianceThreshold",
            "SelectKBest",
            "SelectPercentile",
            "SelectFpr",
            "SelectFdr",
            "SelectFwe",
            "SelectFromModel",
            "RFE",
            "RFECV",
            "GenericUnivariateSelect",
        ),
        _selector,
    ),
}
