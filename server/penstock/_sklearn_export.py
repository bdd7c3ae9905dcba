"""A fitted scikit-learn transformer as the declaration of a `columns` step.

Follows what `transform` would do, one transformer after another, on columns that stand for
themselves. Everything that has no equal is noted before the export is given up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import numpy as np

from penstock._sklearn_columns import Cell, Kinds, NoEqualError, Slot, Value, features_of
from penstock._sklearn_rules import RULES, values_of
from penstock.errors import ExportError

__all__ = ["ExportedColumns", "export_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedColumns:
    """The settings of a `columns` step, and the final estimator that was left out (None: none)."""

    columns: dict[str, Any]
    width: int
    estimator: Any

    def chain(self, to: str) -> dict[str, Any]:
        """As it stands under `preprocessing`."""
        return {
            "from": list(self.columns["inputs"]),
            "to": to,
            "steps": [{"columns": self.columns}],
        }


class _FailedError(Exception):
    """Something cannot be exported; why, is noted."""


@dataclass(slots=True)
class _Export:
    kinds: Kinds
    problems: list[str] = field(default_factory=list)

    def apply(self, transformer: Any, cells: list[Cell], place: str) -> list[Cell]:
        """What comes out of a transformer. Raises _FailedError, the problem being noted."""
        if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
            return cells
        name = type(transformer).__name__
        known = type(transformer).__module__.startswith("sklearn.")
        if known and name in _CONTAINERS:
            return _CONTAINERS[name](self, transformer, cells, place)
        if not known or name not in RULES:
            self.note(f"{place}: {name} has no step that does the same")
        try:
            return RULES[name](self.kinds, transformer, cells)
        except NoEqualError as reason:
            self.note(f"{place}: {name}{reason}")

    def note(self, problem: str) -> NoReturn:
        self.problems.append(problem)
        raise _FailedError


def export_columns(transformer: Any, numbers: str, datatypes: Mapping[str, str]) -> ExportedColumns:
    """numbers: the datatype of columns of numbers that say no more. datatypes: of single columns.

    Raises ExportError, which names every part that cannot be exported.
    """
    transformer, estimator = _without_estimator(transformer)
    names = _input_names(transformer)
    kinds = Kinds(named=hasattr(transformer, "feature_names_in_"))
    export = _Export(kinds)
    cells: list[Cell] = []
    with contextlib.suppress(_FailedError):
        cells = export.apply(transformer, [Value(column=name) for name in names], "transformer")
    if export.problems:
        raise ExportError("cannot be exported:\n  " + "\n  ".join(export.problems))
    try:
        features = features_of(cells)
    except ValueError as error:
        raise ExportError(f"cannot be exported: {error}") from None
    used = {name for feature in features for name in _columns_of(feature)}
    types = {
        name: datatypes.get(name) or _datatype(name, kinds.of(name), numbers)
        for name in names
        if name in used
    }
    for name in datatypes:
        if name not in types:
            raise ExportError(f"datatypes: {name!r} is no column that the transformer uses")
    inputs: dict[str, Any] = dict(types)
    if not kinds.named and set(types.values()) == {numbers}:
        inputs = {"x": {"datatype": numbers, "columns": names}}
    settings = {"inputs": inputs, "missing": "keep", "features": features}
    return ExportedColumns(columns=settings, width=len(cells), estimator=estimator)


def _without_estimator(transformer: Any) -> tuple[Any, Any]:
    """A Pipeline's last step predicts where it does not transform."""
    if type(transformer).__name__ != "Pipeline" or not transformer.steps:
        return transformer, None
    last = transformer.steps[-1][1]
    if not hasattr(last, "predict") or hasattr(last, "transform"):
        return transformer, None
    if len(transformer.steps) == 1:
        raise ExportError(f"the pipeline has {type(last).__name__} and nothing before it to export")
    return transformer[:-1], last


def _input_names(transformer: Any) -> list[str]:
    try:
        if hasattr(transformer, "feature_names_in_"):
            return [str(name) for name in transformer.feature_names_in_]
        return [f"x{index}" for index in range(transformer.n_features_in_)]
    except AttributeError:
        raise ExportError(
            f"{type(transformer).__name__} is not fitted, or does not say what columns it takes"
        ) from None


def _columns_of(feature: Mapping[str, Any]) -> list[str]:
    return [feature["column"]] if "column" in feature else list(feature["columns"])


def _datatype(name: str, kinds: set[str], numbers: str) -> str:
    if "text" in kinds:
        if kinds != {"text"}:
            raise ExportError(f"cannot be exported: column {name!r} is used as text and as numbers")
        return "BYTES"
    if not kinds or "float" in kinds:
        return numbers
    return "INT64" if "integer" in kinds else "BOOL"


# --- containers -----------------------------------------------------------------------------------


def _pipeline(export: _Export, pipeline: Any, cells: list[Cell], place: str) -> list[Cell]:
    for name, step in pipeline.steps:
        cells = export.apply(step, cells, f"{place}.{name}")
    return cells


def _column_transformer(export: _Export, made: Any, cells: list[Cell], place: str) -> list[Cell]:
    names = [str(name) for name in getattr(made, "feature_names_in_", ())]
    weights = made.transformer_weights or {}
    result: list[Cell] = []
    failed = False
    for name, transformer, columns in made.transformers_:
        picked = [cells[index] for index in _indices(columns, names, len(cells))]
        if transformer == "drop" or not picked:
            continue
        try:
            some = export.apply(transformer, picked, f"{place}.{name}")
            result += _weighted(some, weights.get(name, 1), export, f"{place}.{name}")
        except _FailedError:
            failed = True  # the others may have problems too
    if failed:
        raise _FailedError
    return result


def _feature_union(export: _Export, union: Any, cells: list[Cell], place: str) -> list[Cell]:
    weights = union.transformer_weights or {}
    result: list[Cell] = []
    for name, transformer in union.transformer_list:
        if transformer != "drop":
            some = export.apply(transformer, cells, f"{place}.{name}")
            result += _weighted(some, weights.get(name, 1), export, f"{place}.{name}")
    return result


def _weighted(cells: list[Cell], weight: float, export: _Export, place: str) -> list[Cell]:
    if weight == 1:
        return cells
    if any(isinstance(cell, Slot) for cell in cells):
        export.note(f"{place}: a weight of {weight} for one-hot or hashed columns")
    return [cell.then("scale", multiply=float(weight)) for cell in values_of(cells)]


def _indices(columns: Any, names: list[str], count: int) -> list[int]:
    """The columns that a ColumnTransformer's third element means."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            start = 0 if columns.start is None else names.index(columns.start)
            stop = count if columns.stop is None else names.index(columns.stop) + 1
            return list(range(start, stop, columns.step or 1))
        return list(range(count))[columns]
    listed = [columns] if isinstance(columns, str | int) else list(columns)
    if listed and all(isinstance(entry, bool | np.bool_) for entry in listed):
        return [index for index, chosen in enumerate(listed) if chosen]
    return [
        names.index(entry) if isinstance(entry, str) else range(count)[int(entry)]
        for entry in listed
    ]


_Container: TypeAlias = Callable[[_Export, Any, list[Cell], str], list[Cell]]
_CONTAINERS: dict[str, _Container] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
}
