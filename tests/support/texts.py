"""Texts to tokenise: made from seeds, so that nothing needs to be downloaded or committed."""

from __future__ import annotations

import random
import string
from pathlib import Path

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
# Blocks of living scripts, from which words of one script are made.
SCRIPTS = {
    "latin": (0x61, 0x7A),
    "accents": (0xC0, 0x17F),
    "greek": (0x386, 0x3CE),
    "cyrillic": (0x400, 0x45F),
    "armenian": (0x531, 0x587),
    "hebrew": (0x591, 0x5F4),
    "arabic": (0x610, 0x669),
    "devanagari": (0x900, 0x97F),
    "bengali": (0x981, 0x9FB),
    "tamil": (0xB82, 0xBFA),
    "thai": (0xE01, 0xE5B),
    "tibetan": (0xF00, 0xF8B),
    "georgian": (0x10A0, 0x10FF),
    "vietnamese": (0x1E00, 0x1EFF),
    "polytonic": (0x1F00, 0x1FFE),
    "kana": (0x3041, 0x30FE),
    "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "fullwidth": (0xFF01, 0xFF9F),
    "emoji": (0x1F300, 0x1F64F),
}
# Marks that survive the stripping of accents, marks of class 0 that do not, and others.
MARKS = [0x8D4, 0x1B44, 0x302E, 0x1D165, 0x1D16D, 0x11446, 0x94D, 0x941, 0x34F, 0x300, 0xAD, 0x61]
SPACES = [
    0x20,
    0x20,
    0x0A,
    0x09,
    0x0D,
    0x0B,
    0x85,
    0xA0,
    0x2003,
    0x3000,
    0x27,
    0x73,
    0x6C,
    0x21,
    0x31,
]
SPECIAL = ["[MASK]", "[SEP]", "<mask>", "</s>", "<s>", " ", "  ", "a", "B!", "\n", "\u00a0", "é"]


def english_lines(count: int, rng: random.Random) -> list[str]:
    """Lines of the documentation and the code of Python's own library."""
    lines: list[str] = []
    for path in sorted(Path(string.__file__).parent.glob("*.py")):
        lines += path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if len(line) > 30]
    return rng.sample(lines, min(count, len(lines)))


def mixed_lines(count: int, rng: random.Random) -> list[str]:
    """Sentences of made-up words of one to three scripts."""
    blocks = list(SCRIPTS.values())

    def word(block: tuple[int, int]) -> str:
        return "".join(chr(rng.randint(*block)) for _ in range(rng.randint(1, 9)))

    def line() -> str:
        chosen = rng.sample(blocks, rng.randint(1, 3))
        words = [word(rng.choice(chosen)) for _ in range(rng.randint(1, 20))]
        return (
            rng.choice(["", "  ", "(", "¿"]) + rng.choice([" ", ", ", "-", "  "]).join(words) + "."
        )

    return [line() for _ in range(count)]


def random_strings(count: int, rng: random.Random, alphabet: list[int] | range) -> list[str]:
    return ["".join(map(chr, rng.choices(alphabet, k=rng.randint(0, 24)))) for _ in range(count)]


def special_strings(count: int, rng: random.Random) -> list[str]:
    return ["".join(rng.choices(SPECIAL, k=rng.randint(0, 10))) for _ in range(count)]
