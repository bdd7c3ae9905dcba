"""What the core is told of a tokenizer: native/include/penstock/tokenizer.h, field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

__all__ = [
    "AddedToken",
    "ByteLevelBpe",
    "Padding",
    "Part",
    "Strategy",
    "TextTensor",
    "TokenizerSpec",
    "WordPiece",
]

Strategy = Literal["longest_first", "only_first", "only_second"]
TextTensor = Literal["ids", "mask", "type_ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedToken:
    content: str
    id: int
    lstrip: bool
    rstrip: bool
    normalized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPiece:
    kind: ClassVar[str] = "WordPiece"
    clean_text: bool
    handle_chinese_chars: bool
    strip_accents: bool
    lowercase: bool
    words: list[tuple[bytes, int]]
    continuing_prefix: str
    unknown_id: int
    characters_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteLevelBpe:
    kind: ClassVar[str] = "BPE"
    add_prefix_space: bool
    words: list[tuple[bytes, int]]
    merges: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    kind: Literal["ids", "first", "second"]
    ids: list[int] = field(default_factory=list)
    type_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding:
    """How rows come to one length: the longest row's, `length_min`'s or more."""

    length_min: int = 0
    multiple_of: int = 1
    id: int = 0
    type_id: int = 0
    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerSpec:
    added_tokens: list[AddedToken]
    model: WordPiece | ByteLevelBpe
    single: list[Part]
    pair: list[Part]
    length_max: int
    truncation: Strategy
    truncate_left: bool
    text_bytes_max: int
