"""Text into ids: penstock.tokenizer beside HuggingFace `tokenizers` and tiktoken.

Usage: python -m bench.preprocess_text [--rounds 15] [--texts 512]

One thread each, batches of all contenders in turn over texts of which none comes twice in a round,
so that nobody finds its own data in the caches; medians of the rounds. Ours is the whole call from
Python, arrays and padding included; theirs is what gives their encodings. The ids are compared in
the same run; a difference fails, whatever the times. Needs the network the first time.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.tokenizer import Tokenizer

from bench import text_corpus, text_tokenizers

BATCH = 32
Run = Callable[[list[str]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    name: str
    run: Run
    ids: Callable[[Any], list[list[int]]]
    ratio_min: float = 0


def our_ids(made: Any) -> list[list[int]]:
    lengths = made["attention_mask"].sum(axis=1)
    return [row[:n].tolist() for row, n in zip(made["input_ids"], lengths, strict=True)]


def contenders(path: Path, ratio_min: float, with_tiktoken: bool) -> list[Contender]:
    ours = Tokenizer.from_file(path, max_length=0, padding="longest")
    theirs = text_tokenizers.plain(path)
    listed = [
        Contender(name="penstock", run=ours, ids=our_ids),
        Contender(
            name="tokenizers",
            run=theirs.encode_batch_fast,
            ids=lambda made: [encoding.ids for encoding in made],
            ratio_min=ratio_min,
        ),
    ]
    if with_tiktoken:
        encoding = text_tokenizers.tiktoken_of(path)
        listed.append(
            Contender(
                name="tiktoken",
                run=lambda texts: [encoding.encode_ordinary(text) for text in texts],
                ids=lambda made: made,
                ratio_min=2,
            )
        )
    return listed


def measure(texts: Sequence[str], listed: list[Contender], rounds: int) -> dict[str, float]:
    """Microseconds a text, by contender. Ends the program where ids differ."""
    batches = [list(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    spent: dict[str, list[float]] = {contender.name: [] for contender in listed}
    for round_ in range(rounds):
        sums = dict.fromkeys(spent, 0.0)
        for batch in batches:
            made = {}
            for contender in listed:
                begin = time.perf_counter()
                made[contender.name] = contender.run(batch)
                sums[contender.name] += time.perf_counter() - begin
            if round_ == 0:
                ids = [contender.ids(made[contender.name]) for contender in listed]
                if any(other != ids[0] for other in ids):
                    raise SystemExit("the ids differ: python -m bench.check_text shows where")
        for name, seconds in sums.items():
            spent[name].append(seconds / len(texts) * 1e6)
    return {name: statistics.median(times) for name, times in spent.items()}


def english(words: list[str], ids: int, count: int, tokenizer: Any) -> list[str]:
    """Texts of as many words as come to about `ids` ids."""
    sample = " ".join(words[:2000])
    length = max(1, round(ids * 2000 / len(tokenizer.encode(sample).ids)))
    texts = [" ".join(words[at : at + length]) for at in range(0, len(words) - length, length)]
    return texts[:count]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--texts", type=int, default=512)
    options = parser.parse_args(arguments)
    text_corpus.fetch()
    words = text_corpus.english_words()
    mixed = text_corpus.mixed_scripts(options.texts)
    kinds = {
        "WordPiece": (text_corpus.minilm_tokenizer(), 25, 12, False),
        "byte-level BPE": (text_tokenizers.byte_level(), 5, 5, True),
    }
    failed = False
    gc.disable()
    for kind, (path, english_min, mixed_min, with_tiktoken) in kinds.items():
        counter = text_tokenizers.plain(path)
        corpora = [
            ("English, 28 ids", english(words, 26, options.texts, counter), english_min),
            ("English, 256 ids", english(words, 254, options.texts // 4, counter), english_min),
            ("mixed scripts", mixed, mixed_min),
        ]
        for name, texts, ratio_min in corpora:
            listed = contenders(path, ratio_min, with_tiktoken)
            us = measure(texts, listed, options.rounds)
            count = sum(len(e.ids) for e in counter.encode_batch(texts)) / len(texts)
            print(f"{kind}, {name} ({len(texts)} texts, {count:.0f} ids): {us['penstock']:.2f} us")
            for contender in listed[1:]:
                ratio = us[contender.name] / us["penstock"]
                verdict = "pass" if ratio >= contender.ratio_min else "MISSED"
                failed |= ratio < contender.ratio_min
                print(
                    f"  {contender.name}: {us[contender.name]:.1f} us, {ratio:.1f}x"
                    f" (target {contender.ratio_min:.0f}x: {verdict})"
                )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
