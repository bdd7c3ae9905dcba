"""Ids of penstock.tokenizer against HuggingFace's on the large corpora; one difference fails.

Usage: python -m bench.check_text [--lines 300000] [--random 1000000]

Lines of message catalogues and translated manual pages, and random Unicode strings, by WordPiece
(MiniLM's vocabulary) and by byte-level BPE (trained here; also against tiktoken). Needs the network
the first time: bench/text_corpus.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from penstock.tokenizer import Tokenizer

from bench import text_corpus, text_tokenizers

BATCH = 1000
Encode = Callable[[list[str]], list[list[int]]]


def ours(path: Path) -> Encode:
    tokenizer = Tokenizer.from_file(path, max_length=0, padding="longest", max_text_bytes=1 << 24)

    def encode(texts: list[str]) -> list[list[int]]:
        made = tokenizer(texts)
        lengths = made["attention_mask"].sum(axis=1)
        return [row[:n].tolist() for row, n in zip(made["input_ids"], lengths, strict=True)]

    return encode


def huggingface(path: Path) -> Encode:
    tokenizer = text_tokenizers.plain(path)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def tiktokens(path: Path) -> Encode:
    encoding = text_tokenizers.tiktoken_of(path)
    return lambda texts: [encoding.encode_ordinary(text) for text in texts]


def differences(texts: Sequence[str], left: Encode, right: Encode) -> Iterator[str]:
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        for text, one, other in zip(batch, left(batch), right(batch), strict=True):
            if one != other:
                yield text


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--random", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    text_corpus.fetch()
    corpora = {
        "lines in many languages": text_corpus.multilingual(options.lines),
        "random strings": text_corpus.random_strings(options.random),
    }
    minilm, byte_level = text_corpus.minilm_tokenizer(), text_tokenizers.byte_level()
    pairs = [
        ("WordPiece, tokenizers", ours(minilm), huggingface(minilm)),
        ("byte-level BPE, tokenizers", ours(byte_level), huggingface(byte_level)),
        ("byte-level BPE, tiktoken", ours(byte_level), tiktokens(byte_level)),
    ]
    failed = False
    for what, texts in corpora.items():
        outside = sum(not text.isascii() for text in texts)
        for name, left, right in pairs:
            found = list(differences(texts, left, right))
            print(f"{name}: {len(texts)} {what}, {outside} not ASCII: {len(found)} differ")
            for text in found[:3]:
                print(f"  {text!r}")
            failed |= bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
