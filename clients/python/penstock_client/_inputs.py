"""What infer() takes, as arrays by the names of the model's inputs. PURE.

Must not know: how the model is asked what it takes, and how columns are converted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ._errors import InputError
from ._metadata import TensorMetadata
from .wire import from_columns


class Table(Protocol):
    """A DataFrame of pandas or polars, a table of Arrow: `.columns`, and a column by its name."""

    def __getitem__(self, name: Any, /) -> Any: ...

    def __len__(self) -> int: ...


# Arrays by name, a bare array, columns by name or in the inputs' order, rows, a table.
Inputs = Mapping[str, Any] | NDArray[Any] | Sequence[Any] | Table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """`datatypes` of those whose dtype does not say it, as encode_request() takes them."""

    by_name: Mapping[str, NDArray[Any]]
    datatypes: Mapping[str, str]


def are_named_arrays(inputs: Inputs) -> TypeGuard[Mapping[str, NDArray[Any]]]:
    """Whether they can be sent as they are, without a question to the server."""
    return isinstance(inputs, Mapping) and all(map(_is_array, inputs.values()))


def arrays_of(inputs: Inputs, model: str, declared: Sequence[TensorMetadata]) -> Arrays:
    """Arrays are kept as they are, columns become what is declared. Raises InputError."""
    if isinstance(inputs, np.ndarray) and _is_array(inputs):
        return Arrays(by_name={_only_input(model, declared): inputs}, datatypes={})
    if not isinstance(inputs, Mapping):
        converted = by_name = from_columns(inputs, declared)
    else:
        converted = from_columns(
            {name: values for name, values in inputs.items() if not _is_array(values)}, declared
        )
        by_name = {name: converted[name] if name in converted else inputs[name] for name in inputs}
    bf16 = {each.name: "BF16" for each in declared if each.datatype == "BF16"}
    return Arrays(
        by_name=by_name,
        datatypes={name: bf16[name] for name in converted if name in bf16},
    )


def _is_array(values: object) -> bool:
    """A structured array is a table."""
    return isinstance(values, np.ndarray) and values.dtype.names is None


def _only_input(model: str, inputs: Sequence[TensorMetadata]) -> str:
    if len(inputs) != 1:
        names = ", ".join(repr(tensor.name) for tensor in inputs)
        raise InputError(
            f"model {model!r} has {len(inputs)} inputs ({names}): "
            "pass a dict of arrays by these names"
        )
    return inputs[0].name
