#!/usr/bin/env python3
"""Writes native/src/preprocess/text/unicode.gen.cc: what `tokenizers` does to each code point.

The installed library is asked about every code point, since no general Unicode library gives the
same answers: its stages stand on Unicode versions of different years, and one of them takes code
points that it does not know for letters. `--check` writes nothing and exits with 1 where the
committed file differs.
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from tokenizers import __version__
from tokenizers.normalizers import NFD, BertNormalizer, Normalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

PATH = Path(__file__).resolve().parent.parent / "native/src/preprocess/text/unicode.gen.cc"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xD7A4)
COLUMNS = 100


def bert(**stages: bool) -> BertNormalizer:
    off = {
        "clean_text": False,
        "handle_chinese_chars": False,
        "strip_accents": False,
        "lowercase": False,
    }
    return BertNormalizer(**(off | stages))


def changes(normalizer: Normalizer) -> dict[int, str]:
    """What becomes of each code point that does not stay as it is."""
    changed = {}
    separator = "|"
    for start in range(0, len(CODE_POINTS), 4096):
        asked = [c for c in CODE_POINTS[start : start + 4096] if chr(c) != separator]
        answer = normalizer.normalize_str(separator.join(map(chr, asked))).split(separator)
        changed |= {c: text for c, text in zip(asked, answer, strict=True) if text != chr(c)}
    assert normalizer.normalize_str(separator) == separator
    return changed


def bert_splits() -> tuple[set[int], set[int]]:
    """The code points that BERT's pre-tokeniser drops as spaces, and those it isolates."""
    spaces, isolated = set(), set()
    splitter = BertPreTokenizer()
    for start in range(0, len(CODE_POINTS), 64):
        asked = CODE_POINTS[start : start + 64]
        text = " ".join(f"a{chr(c)}b" for c in asked)
        spans = {span for _, span in splitter.pre_tokenize_str(text)}
        for index, c in enumerate(asked):
            at = index * 4
            if (at, at + 3) in spans:
                continue
            assert {(at, at + 1), (at + 2, at + 3)} <= spans
            (isolated if (at + 1, at + 2) in spans else spaces).add(c)
    return spaces, isolated


def byte_level_kind(probe: str) -> set[int]:
    """The code points that GPT-2's pattern puts into one piece with `probe`."""
    together = set()
    splitter = ByteLevel(add_prefix_space=False, use_regex=True)
    for start in range(0, len(CODE_POINTS), 64):
        asked = CODE_POINTS[start : start + 64]
        text = "\n".join(probe + chr(c) for c in asked)
        spans = {span for _, span in splitter.pre_tokenize_str(text)}
        together |= {c for i, c in enumerate(asked) if (i * 3, i * 3 + 2) in spans}
    return together


class CombiningClasses:
    """Canonical combining classes, found by what NFD puts before what.

    Python's own classes only choose one mark to compare with for each class; marks that the asked
    library is too old to know are passed over.
    """

    LOWEST, HIGHEST = 0x334, 0x345

    def __init__(self) -> None:
        self._nfd = NFD()
        known: dict[int, int] = {}
        for c in CODE_POINTS:
            if unicodedata.combining(chr(c)) and self._moves(c):
                known.setdefault(unicodedata.combining(chr(c)), c)
        self._references = sorted(known.items())
        marks = [c for _, c in self._references]
        assert all(self._swaps(after, before) for before, after in pairwise(marks))

    def _swaps(self, first: int, second: int) -> bool:
        text = "a" + chr(first) + chr(second)
        swapped: bool = self._nfd.normalize_str(text) == "a" + chr(second) + chr(first)
        return swapped and first != second

    def _moves(self, c: int) -> bool:
        return self._swaps(c, self.LOWEST) or self._swaps(self.HIGHEST, c)

    def of(self, c: int) -> int:
        """The class of a code point that NFD does not decompose; 0 where it has none."""
        if not self._moves(c):
            return 0
        found = [
            value
            for value, mark in self._references
            if not self._swaps(c, mark) and not self._swaps(mark, c)
        ]
        assert len(found) == 1, hex(c)
        return found[0]


def ranges(code_points: Iterable[int]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for c in sorted(code_points):
        if joined and joined[-1][1] == c - 1:
            joined[-1] = (joined[-1][0], c)
        else:
            joined.append((c, c))
    return joined


def filled(items: Iterable[str]) -> Iterator[str]:
    line = " "
    for item in items:
        if len(line) + len(item) + 2 > COLUMNS:
            yield line
            line = " "
        line += f" {item},"
    yield line


def range_table(name: str, code_points: Iterable[int]) -> list[str]:
    listed = ranges(code_points)
    items = (f"{{0x{first:X}, 0x{last:X}}}" for first, last in listed)
    return [f"constexpr CodePointRange k{name}[] = {{", *filled(items), "};", ""]


def mapping_table(name: str, mapping: dict[int, str]) -> list[str]:
    items = (
        f"{{0x{c:X}, {{{', '.join(f'0x{ord(x):X}' for x in text)}}}}}"
        for c, text in sorted(mapping.items())
    )
    return [f"constexpr CodePointMapping k{name}[] = {{", *filled(items), "};", ""]


def class_table(name: str, classes: dict[int, int]) -> list[str]:
    items = (f"{{0x{c:X}, {value}}}" for c, value in sorted(classes.items()))
    return [f"constexpr CombiningClass k{name}[] = {{", *filled(items), "};", ""]


def table() -> str:
    cleaned = changes(bert(clean_text=True))
    decomposed = changes(NFD())
    stripped = {c for c, text in changes(bert(strip_accents=True)).items() if not text}
    stripped -= decomposed.keys()
    spaces, isolated = bert_splits()
    combining = CombiningClasses()
    whole = set(CODE_POINTS) - stripped - decomposed.keys()
    survivors = {c: value for c in whole if (value := combining.of(c))}
    for c in HANGUL:
        assert decomposed.pop(c) == unicodedata.normalize("NFD", chr(c))
    byte_level = {name: byte_level_kind(probe) for name, probe in BYTE_LEVEL_PROBES.items()}
    together = set().union(*byte_level.values())
    lines = [
        "// Generated by scripts/generate_unicode.py from the answers of HuggingFace",
        f"// tokenizers {__version__}; do not edit.",
        "// clang-format off",
        '#include "preprocess/text/unicode.h"',
        "",
        "namespace penstock::preprocess {",
        "namespace {",
        "",
        *range_table("BertDropped", (c for c, text in cleaned.items() if text == "")),
        *range_table("BertSpaced", (c for c, text in cleaned.items() if text == " ")),
        *range_table("BertIdeographs", changes(bert(handle_chinese_chars=True))),
        *range_table("BertStripped", stripped),
        *range_table("BertStrippedStarters", (c for c in stripped if not combining.of(c))),
        *range_table("BertWhitespace", spaces),
        *range_table("BertPunctuation", isolated),
        *range_table("ByteLevelLetters", byte_level["letters"]),
        *range_table("ByteLevelNumbers", byte_level["numbers"]),
        *range_table("ByteLevelWhitespace", (c for c in CODE_POINTS if c not in together)),
        *class_table("SurvivingMarks", survivors),
        *mapping_table("Decompositions", decomposed),
        *mapping_table("Lowercase", changes(bert(lowercase=True))),
        "}  // namespace",
        "",
        "const UnicodeTables kUnicode = {",
        *(f"    .{field} = k{name}," for field, name in FIELDS.items()),
        "};",
        "",
        "}  // namespace penstock::preprocess",
        "",
    ]
    return "\n".join(lines)


BYTE_LEVEL_PROBES = {"letters": "a", "numbers": "1", "others": "!"}
FIELDS = {
    "bert_dropped": "BertDropped",
    "bert_spaced": "BertSpaced",
    "bert_ideographs": "BertIdeographs",
    "bert_stripped": "BertStripped",
    "bert_stripped_starters": "BertStrippedStarters",
    "bert_whitespace": "BertWhitespace",
    "bert_punctuation": "BertPunctuation",
    "byte_level_letters": "ByteLevelLetters",
    "byte_level_numbers": "ByteLevelNumbers",
    "byte_level_whitespace": "ByteLevelWhitespace",
    "surviving_marks": "SurvivingMarks",
    "decompositions": "Decompositions",
    "lowercase": "Lowercase",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only report a file that is stale")
    check = parser.parse_args(arguments).check
    text = table()
    if PATH.exists() and PATH.read_text(encoding="utf-8") == text:
        return 0
    if not check:
        PATH.write_text(text, encoding="utf-8")
    print(f"{PATH.name}: {'is stale; run make generate-unicode' if check else 'written'}")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
