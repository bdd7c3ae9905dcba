"""PURE. What steps of a pipeline have in common, whatever they work on.

A family is what compiles into one transform of the core: the steps of a picture, a tokenizer, the
columns of a table. A chain's steps are all of one family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from penstock import _core

__all__ = [
    "ChainPlace",
    "InputDeclaration",
    "Step",
    "StepConfigError",
    "StepFamily",
    "bytes_inputs",
]


class Step(BaseModel):
    """The settings of one step, as they stand in a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPlace:
    """What a chain stands between, where files that its steps name are looked for, and whether a
    model stands behind it."""

    from_: tuple[str, ...]
    to: tuple[str, ...]
    folder: Path
    before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDeclaration:
    """A tensor that a client sends, in the protocol's words; -1 where a dimension is free."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class StepConfigError(Exception):
    """A step that cannot work: its index in the chain, the key (`file`, or "") and why."""

    def __init__(self, step: int, message: str, key: str = "") -> None:
        super().__init__(step, message, key)
        self.step = step
        self.message = message
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFamily:
    """Steps that compile into one transform.

    compile: raises StepConfigError, or _core.StepError, where a step cannot work.
    before, behind: whether they may stand before a model, and behind it.
    inputs: what each name of `from` stands for; None where that is the model's affair.
    """

    steps: Mapping[str, type[Step]]
    compile: Callable[[Sequence[Any], ChainPlace], _core.Transform]
    before: bool = False
    behind: bool = False
    inputs: Callable[[Sequence[Any], ChainPlace], Sequence[InputDeclaration]] | None = None


def bytes_inputs(place: ChainPlace) -> list[InputDeclaration]:
    """For steps that take pictures or texts: an element for each row."""
    return [InputDeclaration(name=name, datatype="BYTES", shape=(-1,)) for name in place.from_]
