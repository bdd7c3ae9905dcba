"""Reads which inputs of a model differ in length: `ragged:` beside a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penstock import _core
from penstock._problems import describe_problems
from penstock.errors import ConfigError

__all__ = ["read_ragged"]


class _RaggedInput(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    input: str = Field(min_length=1)
    # Along which rows differ; 0 is the batch.
    axis: int = Field(default=1, ge=1, le=7)
    # What is put behind a shorter row.
    pad: float = Field(default=0.0, allow_inf_nan=True)
    # The input that is 1 where a row has an element and 0 behind it; made where it is not sent.
    mask: str | None = Field(default=None, min_length=1)


def read_ragged(config: object, where: str) -> tuple[_core.RaggedDeclaration, ...]:
    """where: the key's path, as in `models/m/model.yaml: ragged`. Raises ConfigError; whether the
    model has such inputs is seen when it is loaded."""
    if isinstance(config, str | bytes) or not isinstance(config, Sequence):
        raise ConfigError(f"{where}: expected a list of inputs, got {type(config).__name__}")
    return tuple(_read(entry, f"{where}[{index}]") for index, entry in enumerate(config))


def _read(entry: object, where: str) -> _core.RaggedDeclaration:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: expected input, axis, pad and mask, got {entry!r}")
    try:
        given = _RaggedInput.model_validate(dict(entry))
    except ValidationError as error:
        raise ConfigError(describe_problems(error, _RaggedInput, entry, where)) from None
    return _core.RaggedDeclaration(
        input=given.input, axis=given.axis, pad=given.pad, mask=given.mask or ""
    )
