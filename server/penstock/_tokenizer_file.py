"""A tokenizer.json and what a caller sets in its place, as the core takes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

from penstock._tokenizer_json import read_tokenizer
from penstock._tokenizer_spec import Padding, Strategy, TokenizerSpec
from penstock.errors import ConfigError

__all__ = ["TEXT_BYTES_MAX", "load_tokenizer"]

# Longer texts are refused unless a caller says otherwise.
TEXT_BYTES_MAX = 128 * 1024


def load_tokenizer(
    path: Path,
    *,
    max_length: int | None,
    truncation: Strategy | None,
    padding: Literal["longest"] | int | None,
    add_special_tokens: bool,
    max_text_bytes: int,
) -> tuple[TokenizerSpec, Padding]:
    """What is None is as the file says. Raises ConfigError that begins with the file's path."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON in UTF-8: {error}") from None
    try:
        file = read_tokenizer(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    single, pair = file.templates[add_special_tokens]
    spec = TokenizerSpec(
        added_tokens=file.added_tokens,
        model=file.model,
        single=single,
        pair=pair,
        length_max=file.length_max if max_length is None else max_length,
        truncation=truncation or file.truncation,
        truncate_left=file.truncate_left,
        text_bytes_max=max_text_bytes,
    )
    if padding is None:
        return spec, file.padding
    return spec, replace(file.padding, length_min=0 if padding == "longest" else padding)
