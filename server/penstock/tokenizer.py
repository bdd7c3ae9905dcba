"""`penstock.tokenizer`: text into a language model's inputs, with HuggingFace's ids."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core
from penstock._tokenizer_file import TEXT_BYTES_MAX, load_tokenizer
from penstock._tokenizer_spec import Padding, Strategy, TokenizerSpec
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Tokenizer"]


class Tokenizer:
    """A tokenizer.json, loaded once.

        tokenizer = Tokenizer.from_file("tokenizer.json", max_length=256, padding="longest")
        inputs = tokenizer(["A sentence.", "Another one."])
        engine.infer("minilm", inputs)

    Any number of threads may call it at once; the GIL is released while it works.
    """

    def __init__(self, spec: TokenizerSpec, padding: Padding) -> None:
        try:
            self._core = _core.Tokenizer(spec)
        except _core.Error as error:
            raise ConfigError(error.args[1]) from None
        self._padding = padding

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        max_length: int | None = None,
        truncation: Strategy | None = None,
        padding: Literal["longest"] | int | None = None,
        add_special_tokens: bool = True,
        max_text_bytes: int = TEXT_BYTES_MAX,
    ) -> Tokenizer:
        """Reads a tokenizer.json of HuggingFace.

        max_length: ids of a row, at most, special tokens with them; 0 cuts nothing off.
        truncation: what is cut of a pair: `longest_first`, `only_first` or `only_second`.
        padding: `longest` pads to the batch's longest row, a number to at least so many ids.
        The three are as the file says where they are None.
        add_special_tokens: whether [CLS] and their like are put around the texts.
        max_text_bytes: longer texts (in UTF-8) are refused.

        Raises ConfigError where the file is none or asks for something that is not supported; the
        message begins with the path of it in the file.
        """
        spec, rule = load_tokenizer(
            Path(path),
            max_length=max_length,
            truncation=truncation,
            padding=padding,
            add_special_tokens=add_special_tokens,
            max_text_bytes=max_text_bytes,
        )
        return cls(spec, rule)

    def __call__(
        self, texts: Sequence[str | bytes], pairs: Sequence[str | bytes] | None = None
    ) -> dict[str, NDArray[Any]]:
        """input_ids, attention_mask and token_type_ids, each int64 of shape (texts, ids).

        pairs: the second text of each row. bytes are UTF-8.

        Raises InvalidRequestError where a text is not UTF-8, too long, or cannot be cut as
        `truncation` says; the message names its row.
        """
        if isinstance(texts, str | bytes) or isinstance(pairs, str | bytes):
            raise TypeError("expected a list of texts, not one text")
        ids, mask, types = self._core.encode(
            list(texts), None if pairs is None else list(pairs), self._padding
        )
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
