"""The tokenizers that the text benchmarks compare: the same files, read by ours and by others."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Read when the library is loaded.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tiktoken
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from bench import text_corpus

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def plain(path: Path) -> tokenizers.Tokenizer:
    """HuggingFace's, without truncation and padding."""
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def byte_level() -> Path:
    """A byte-level BPE of 32,000 words, trained on the corpus the first time."""
    path = text_corpus.FOLDER / "byte_level.json"
    if path.exists():
        return path
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=32_000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = text_corpus.english_words()
    english = [" ".join(words[at : at + 20]) for at in range(0, len(words), 20)]
    tokenizer.train_from_iterator(english * 2 + text_corpus.multilingual(30_000), trainer)
    tokenizer.save(str(path))
    return path


def tiktoken_of(path: Path) -> tiktoken.Encoding:
    """tiktoken over the same vocabulary, whose ids are the ranks of its merges."""
    from penstock._tokenizer_json import read_tokenizer

    model = read_tokenizer(json.loads(path.read_text(encoding="utf-8"))).model
    return tiktoken.Encoding(
        "byte_level", pat_str=GPT2_PATTERN, mergeable_ranks=dict(model.words), special_tokens={}
    )
