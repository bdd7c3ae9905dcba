"""PURE. The step of a pipeline that makes tensors of a table's columns: every setting once.

Each with its default and what it means. What steps mean to each other is checked in the core.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from penstock import _core
from penstock._steps import ChainPlace, InputDeclaration, Step, StepConfigError, StepFamily

__all__ = [
    "TABULAR",
    "Bucketize",
    "Clip",
    "ColumnStep",
    "Columns",
    "Feature",
    "Hash",
    "Impute",
    "InputColumns",
    "IsMissing",
    "OneHot",
    "Ordinal",
    "Scale",
]

_InputType = Literal[
    "BOOL",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "FP32",
    "FP64",
    "BYTES",
]
_OutputType = Literal["FP32", "FP64", "INT32", "INT64"]
_Missing = Literal["error", "keep"]
# null is what is missing.
_Value = bool | int | float | str | None
_Positive = Annotated[int, Field(ge=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Impute(_Settings):
    """What is missing, or what equals `missing`, becomes `value`."""

    value: bool | int | float | str
    missing: _Value = None

    def core(self, text: bool) -> _core.ImputeStep:
        marker = None if self.missing is None else self.missing
        return _core.ImputeStep(marker=marker, value=self.value)


class Scale(_Settings):
    """(value - subtract) / divide * multiply + add."""

    subtract: float = 0.0
    divide: float = 1.0
    multiply: float = 1.0
    add: float = 0.0

    def core(self, text: bool) -> _core.ScaleStep:
        return _core.ScaleStep(**dict(self))


class Clip(_Settings):
    """Not below min, not above max."""

    min: float = -math.inf
    max: float = math.inf

    def core(self, text: bool) -> _core.ClipStep:
        return _core.ClipStep(min=self.min, max=self.max)


class Bucketize(_Settings):
    """How many of the edges, which ascend, are not above the value: 0 to their number."""

    edges: list[float]

    def core(self, text: bool) -> _core.BucketizeStep:
        return _core.BucketizeStep(edges=self.edges)


class IsMissing(_Settings):
    """1 for what is missing, else 0."""

    def core(self, text: bool) -> _core.IsMissingStep:
        return _core.IsMissingStep()


class Ordinal(_Settings):
    """A number for each category: its place, or what stands at that place in `values`."""

    categories: list[_Value]
    values: list[float] | None = None
    unknown: Literal["error"] | float = "error"

    def core(self, text: bool) -> _core.OrdinalStep:
        places = [float(place) for place in range(len(self.categories))]
        return _core.OrdinalStep(
            categories=_categories(self.categories, text),
            values=places if self.values is None else self.values,
            unknown=None if self.unknown == "error" else self.unknown,
        )


class OneHot(_Settings):
    """A column for each category, 1 for that of the value and 0 for the others."""

    categories: list[_Value]
    # Known, but without a column.
    dropped: list[_Value] = []
    # These share one more column, the last; an empty list is such a column for unknown values only.
    other: list[_Value] | None = None
    # `zeros`: no column is 1; `other`: that column.
    unknown: Literal["error", "zeros", "other"] = "error"

    @model_validator(mode="after")
    def _has_other(self) -> OneHot:
        if self.unknown == "other" and self.other is None:
            raise ValueError("unknown is other, and other does not stand there")
        return self

    def core(self, text: bool) -> _core.OneHotStep:
        count = len(self.categories)
        others = self.other or []
        unknown = {"error": None, "zeros": -1, "other": count}
        return _core.OneHotStep(
            categories=_categories([*self.categories, *self.dropped, *others], text),
            slots=[*range(count), *(-1 for _ in self.dropped), *(count for _ in others)],
            width=count + (self.other is not None),
            unknown=unknown[self.unknown],
        )


class Hash(_Settings):
    """`buckets` columns; the hash of prefix and string chooses the one that gets 1, or -1."""

    buckets: Annotated[int, Field(ge=1, le=1 << 24)]
    alternate_sign: bool = True
    prefix: str = ""
    # Longer strings are refused.
    max_bytes: _Positive = 1 << 16

    def core(self, text: bool) -> _core.HashStep:
        return _core.HashStep(
            width=self.buckets,
            alternate_sign=self.alternate_sign,
            prefix=self.prefix,
            string_bytes_max=self.max_bytes,
        )


class ColumnStep(_Settings):
    """One step of a column: a mapping of its name to its settings."""

    impute: Impute | None = None
    scale: Scale | None = None
    clip: Clip | None = None
    bucketize: Bucketize | None = None
    is_missing: IsMissing | None = None
    ordinal: Ordinal | None = None
    one_hot: OneHot | None = None
    hash: Hash | None = None

    @model_validator(mode="after")
    def _one(self) -> ColumnStep:
        if sum(step is not None for _, step in self) != 1:
            raise ValueError("expected one step's name with its settings")
        return self

    def core(self, text: bool) -> Any:
        return next(step.core(text) for _, step in self if step is not None)


class InputColumns(_Settings):
    """What one tensor of the client holds: a column, or several side by side."""

    datatype: _InputType
    # Their names; the tensor is [rows, columns]. None: one column, named as the tensor, [rows].
    columns: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        return {"datatype": value} if isinstance(value, str) else value


class Feature(_Settings):
    """The way of a column into a tensor."""

    column: str | None = None
    # Several that are hashed into the same numbers.
    columns: list[str] = []
    steps: list[ColumnStep] = []
    # Which of the chain's tensors; None: its first.
    to: str | None = None
    # A number that is missing and that no step provides for. None: as the whole table has it.
    missing: _Missing | None = None

    @model_validator(mode="after")
    def _named(self) -> Feature:
        if (self.column is None) == (not self.columns):
            raise ValueError("give column, or columns")
        return self

    def names(self) -> list[str]:
        return self.columns if self.column is None else [self.column]


class Columns(Step):
    """The columns of a table become tensors of numbers."""

    # By the name of the client's tensor.
    inputs: dict[str, InputColumns]
    # Their numbers stand in a row in this order.
    features: Annotated[list[Feature], Field(min_length=1)]
    missing: _Missing = "error"
    datatype: _OutputType = "FP32"
    # Of single tensors, where they differ.
    datatypes: Mapping[str, _OutputType] = {}
    # Of what is made for one request; more is refused.
    max_memory_bytes: _Positive = 1 << 26


def _compile(steps: Sequence[Columns], place: ChainPlace) -> _core.Transform:
    if len(steps) > 1:
        raise StepConfigError(1, "stands alone in its chain")
    step = steps[0]
    if sorted(step.inputs) != sorted(place.from_):
        raise StepConfigError(
            0, f"names {_listed(step.inputs)}, and `from` {_listed(place.from_)}", key="inputs"
        )
    for name in step.datatypes:
        if name not in place.to:
            raise StepConfigError(0, f"`to` does not name {name!r}", key="datatypes")
    texts = {
        column
        for name, given in step.inputs.items()
        if given.datatype == "BYTES"
        for column in given.columns or [name]
    }
    return _core.columns_transform(
        inputs=[
            _core.ColumnInput(
                datatype=step.inputs[name].datatype,
                columns=step.inputs[name].columns or [name],
                matrix=step.inputs[name].columns is not None,
            )
            for name in place.from_
        ],
        outputs=[step.datatypes.get(name, step.datatype) for name in place.to],
        features=list(_features(step, place, texts)),
        output_bytes_max=step.max_memory_bytes,
    )


def _features(step: Columns, place: ChainPlace, texts: set[str]) -> Iterator[_core.ColumnFeature]:
    targets = {feature.to or place.to[0] for feature in step.features}
    for name in place.to:
        if name not in targets:
            raise StepConfigError(0, f"none goes to {name!r}", key="features")
    for index, feature in enumerate(step.features):
        if feature.to is not None and feature.to not in place.to:
            raise StepConfigError(
                0,
                f"`to` of the chain does not name it: {feature.to!r}",
                key=f"features[{index}].to",
            )
        yield _core.ColumnFeature(
            columns=feature.names(),
            steps=_core_steps(feature, texts),
            output=0 if feature.to is None else place.to.index(feature.to),
            refuse_missing=(feature.missing or step.missing) == "error",
        )


def _core_steps(feature: Feature, texts: set[str]) -> list[Any]:
    """Text is what a step works on until one has made numbers of it, and with it its categories."""
    text = all(name in texts for name in feature.names())
    made = []
    for step in feature.steps:
        made.append(step.core(text))
        text = text and step.impute is not None
    return made


def _categories(values: list[_Value], text: bool) -> list[Any]:
    missing = "" if text else math.nan
    return [missing if value is None else value for value in values]


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _inputs(steps: Sequence[Columns], place: ChainPlace) -> list[InputDeclaration]:
    given = steps[0].inputs
    return [
        InputDeclaration(
            name=name,
            datatype=given[name].datatype,
            shape=(-1,) if (columns := given[name].columns) is None else (-1, len(columns)),
        )
        for name in place.from_
    ]


TABULAR = StepFamily(steps={"columns": Columns}, compile=_compile, before=True, inputs=_inputs)
