"""The text step of a pipeline: every setting once, with its default and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from penstock import _core
from penstock._steps import ChainPlace, Step, StepConfigError, StepFamily, bytes_inputs
from penstock._tokenizer_file import TEXT_BYTES_MAX, load_tokenizer
from penstock._tokenizer_spec import Strategy, TextTensor
from penstock.errors import ConfigError

__all__ = ["TEXT", "Tokenize"]

# In the order in which `to` names them where `outputs` says nothing.
_TENSORS: tuple[TextTensor, ...] = ("ids", "mask", "type_ids")
# BERT's relatives end at 512, models of long texts at some 100,000: more is a slip of the pen.
_LENGTH_MAX = 1 << 20

_Length = Annotated[int, Field(ge=1, le=_LENGTH_MAX)]


class Tokenize(Step):
    """Texts, or pairs of them, become ids, their mask and their type ids."""

    # A HuggingFace tokenizer.json, relative to the folder of the configuration.
    file: str
    # Ids of a row, special ones with them; 0 cuts nothing off. None: as the file says.
    max_length: Annotated[int, Field(ge=0, le=_LENGTH_MAX)] | None = None
    # What is cut of a pair. None: as the file says.
    truncation: Strategy | None = None
    # To the longest row that there is, or to at least so many ids. A length in the file is for
    # whoever has no ragged batches.
    padding: Literal["longest"] | _Length = "longest"
    # Rows become as long as a multiple of it. None: as the file says.
    multiple_of: _Length | None = None
    add_special_tokens: bool = True
    # Longer texts, in UTF-8, are refused.
    max_text_bytes: Annotated[int, Field(ge=1)] = TEXT_BYTES_MAX
    # What each name of `to` stands for. None: ids, mask and type ids, as many as there are names.
    outputs: list[TextTensor] | None = None
    datatype: Literal["INT64", "INT32"] = "INT64"


def _compile(steps: Sequence[Tokenize], place: ChainPlace) -> _core.Transform:
    step = steps[0]
    if len(steps) > 1:
        raise StepConfigError(1, "the ids of the step before it are no text")
    if len(place.from_) > 2:
        raise StepConfigError(0, f"takes a text or a pair of them, not {len(place.from_)} inputs")
    outputs = step.outputs or list(_TENSORS[: len(place.to)])
    if len(outputs) != len(place.to):
        made = str(len(outputs)) if step.outputs else f"1 to {len(_TENSORS)}"
        noun = "tensor" if made == "1" else "tensors"
        raise StepConfigError(0, f"makes {made} {noun}, and `to` names {len(place.to)}")
    if len(set(outputs)) != len(outputs):
        raise StepConfigError(0, f"each stands once, got {outputs}", key="outputs")
    try:
        spec, padding = load_tokenizer(
            place.folder / step.file,
            max_length=step.max_length,
            truncation=step.truncation,
            padding=step.padding,
            add_special_tokens=step.add_special_tokens,
            max_text_bytes=step.max_text_bytes,
        )
    except ConfigError as error:
        raise StepConfigError(0, str(error), key="file") from None
    try:
        return _core.tokenize_transform(
            spec,
            padding if step.multiple_of is None else replace(padding, multiple_of=step.multiple_of),
            outputs,
            pairs=len(place.from_) == 2,
            datatype=step.datatype,
        )
    except _core.Error as error:
        raise StepConfigError(0, error.args[1]) from None


TEXT = StepFamily(
    steps={"tokenize": Tokenize},
    compile=_compile,
    before=True,
    inputs=lambda _steps, place: bytes_inputs(place),
)
