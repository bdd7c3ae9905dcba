"""`penstock.columns`: tables as the arrays that a model takes, in process.

`Engine.infer` and `preprocess.Pipeline` do this with a table that they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from penstock import _columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from penstock._core import TensorReport
    from penstock._steps import InputDeclaration

__all__ = ["Table", "from_columns", "named_arrays", "taken_columns"]


class Table(Protocol):
    """A DataFrame of pandas or polars, a table of Arrow: `.columns`, and a column by its name."""

    def __getitem__(self, name: Any, /) -> Any: ...

    def __len__(self) -> int: ...


def from_columns(
    data: Any, inputs: Sequence[TensorReport] | None = None
) -> dict[str, NDArray[Any]]:
    """The array of each column by its name.

    data: a DataFrame of pandas or polars or another table, a dict of columns, a list of dicts (the
    rows), a list of columns in the order of `inputs`, or the one column of a model with one input.
    inputs: what the model takes, as `engine.models[0].inputs`: columns become these datatypes, and
    (n, 1) where they have that shape; BF16 is its bits, as uint16. None takes each column's own.

    Missing values (None, NaN, pandas' NA) are NaN in floats and empty strings in BYTES. Raises
    ValueError, naming column and row, for those in others and for what cannot be converted.
    """
    arrays: dict[str, NDArray[Any]] = _columns.from_columns(data, inputs)
    for tensor in inputs or ():
        if tensor.datatype == "BF16" and tensor.name in arrays:
            arrays[tensor.name] = _columns.bf16_bits(arrays[tensor.name])
    return arrays


def taken_columns(data: Any, inputs: Sequence[InputDeclaration]) -> dict[str, NDArray[Any]]:
    """Of a table, a dict or rows what `inputs` names: arrays as they are, columns as
    declared. Raises ValueError."""
    named = _columns.named_columns(data)
    taken = {each.name: named[each.name] for each in inputs if each.name in named}
    arrays = {name: values for name, values in taken.items() if isinstance(values, np.ndarray)}
    columns = {name: values for name, values in taken.items() if name not in arrays}
    return _columns.from_columns(arrays) | _columns.from_columns(columns, inputs)


def named_arrays(inputs: Any, declared: Sequence[TensorReport]) -> dict[str, Any]:
    """What the engine was given that is no dict: arrays as they are, else a table's columns.

    declared: empty where there is no such model, which the call will say.
    """
    if isinstance(inputs, Mapping):
        return dict(inputs)
    if not declared:
        return {}
    if len(declared) == 1 and isinstance(inputs, np.ndarray) and inputs.dtype.names is None:
        return {declared[0].name: inputs}
    return from_columns(inputs, declared)
