"""What penstock.tokenizer refuses, in a file and in a text, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError, InvalidRequestError
from penstock.tokenizer import Tokenizer

Document = dict[str, Any]


def word_piece() -> Document:
    return {
        "added_tokens": [
            {
                "id": 1,
                "content": "[SEP]",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": {"type": "BertNormalizer", "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "vocab": {"[UNK]": 0, "[SEP]": 1, "a": 2},
        },
    }


def byte_level() -> Document:
    alphabet = [chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144))]
    vocabulary = {c: i for i, c in enumerate(alphabet)}
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "model": {"type": "BPE", "vocab": vocabulary | {"ab": 256}, "merges": ["a b"]},
    }


def load(document: object, tmp_path: Path, **options: Any) -> Tokenizer:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return Tokenizer.from_file(path, **options)


def test_both_kinds_are_taken(tmp_path: Path) -> None:
    assert load(word_piece(), tmp_path)(["A b [SEP]"])["input_ids"].tolist() == [[2, 0, 1]]
    assert load(byte_level(), tmp_path)(["abb"])["input_ids"].tolist() == [[256, 65]]


REFUSED: list[tuple[Callable[[], Document], Callable[[Document], object], str]] = [
    (word_piece, lambda d: d["model"].update(type="Unigram"), r"model\.type: 'Unigram'"),
    (word_piece, lambda d: d["normalizer"].update(type="NFC"), r"normalizer\.type: 'NFC'"),
    (word_piece, lambda d: d.update(normalizer=None), r"normalizer: expected an object"),
    (word_piece, lambda d: d["pre_tokenizer"].update(type="Whitespace"), r"pre_tokenizer\.type"),
    (word_piece, lambda d: d["model"].update(unk_token="?"), r"model\.unk_token: '\?'"),
    (word_piece, lambda d: d["model"]["vocab"].update(b=-1), r"model\.vocab\['b'\]"),
    (
        word_piece,
        lambda d: d["added_tokens"][0].update(single_word=True),
        r"added_tokens\[0\]\.single_word: True",
    ),
    (
        word_piece,
        lambda d: d["added_tokens"][0].update(normalized=True),
        r"added_tokens\[0\]\.normalized: True",
    ),
    (word_piece, lambda d: d.update(post_processor={"type": "X"}), r"post_processor\.type: 'X'"),
    (
        word_piece,
        lambda d: d.update(
            post_processor={
                "type": "TemplateProcessing",
                "special_tokens": {},
                "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}],
                "pair": [],
            }
        ),
        r"post_processor\.single\[1\]: '\[SEP\]' is not in",
    ),
    (
        word_piece,
        lambda d: d.update(truncation={"max_length": 4, "strategy": "X"}),
        r"truncation\.strategy: 'X'",
    ),
    (word_piece, lambda d: d.update(padding={"strategy": "X"}), r"padding\.strategy: 'X'"),
    (byte_level, lambda d: d.update(normalizer={"type": "NFC"}), r"normalizer: "),
    (byte_level, lambda d: d["pre_tokenizer"].update(use_regex=False), r"pre_tokenizer\.use_regex"),
    (byte_level, lambda d: d["model"].update(byte_fallback=True), r"model\.byte_fallback: True"),
    (byte_level, lambda d: d["model"].update(dropout=0.1), r"model\.dropout: 0\.1"),
    (byte_level, lambda d: d["model"]["merges"].append("b a"), r"model\.merges\[1\]: 'b a'"),
    (byte_level, lambda d: d["model"]["vocab"].pop("!"), r"the vocabulary lacks byte 33"),
]


@pytest.mark.parametrize(("make", "break_it", "message"), REFUSED, ids=[r[2] for r in REFUSED])
def test_file_that_asks_for_more_is_refused_with_its_path(
    make: Callable[[], Document],
    break_it: Callable[[Document], object],
    message: str,
    tmp_path: Path,
) -> None:
    document = make()
    break_it(document)
    with pytest.raises(ConfigError, match=message):
        load(document, tmp_path)


def test_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match=r"\$: expected an object, got list"):
        load([], tmp_path)


def test_text_that_cannot_be_encoded_is_refused_with_its_row(tmp_path: Path) -> None:
    for document in (word_piece(), byte_level()):
        tokenizer = load(document, tmp_path, max_text_bytes=1000)
        with pytest.raises(InvalidRequestError, match=r"row 1: .*not UTF-8: byte 255 at offset 2"):
            tokenizer(["a", b"a \xff"])
        with pytest.raises(InvalidRequestError, match=r"row 0: .*lone surrogate"):
            tokenizer(["\ud800"])
        with pytest.raises(
            InvalidRequestError, match=r"row 2: the text has 10000000 bytes, at most"
        ):
            tokenizer(["a", "b", b"x" * 10_000_000])
        with pytest.raises(TypeError, match=r"row 1: a text must be a str or bytes, not int"):
            tokenizer(["a", 1])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="not one text"):
            tokenizer("a")
        with pytest.raises(ValueError, match="one for each of 2 texts, got 1"):
            tokenizer(["a", "b"], ["c"])
        # What failed before leaves nothing behind.
        assert tokenizer(["a"])["attention_mask"].tolist() == [[1]]


def test_empty_batch_has_no_rows(tmp_path: Path) -> None:
    assert load(word_piece(), tmp_path)([])["input_ids"].shape == (0, 0)
