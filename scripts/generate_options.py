#!/usr/bin/env python3
"""Writes everything that is derived from native/options.toml; see that file for the format.

Only the standard library, so that it runs before anything is installed. `--check` writes nothing
and exits with 1 where a committed file differs, naming it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from settings_cpp import options_from_python, options_header, options_text
from settings_page import settings_page
from settings_python import python_flags, python_options
from settings_source import SOURCE, Settings, parse

ROOT = Path(__file__).resolve().parent.parent

GENERATED: dict[str, Callable[[Settings], str]] = {
    "native/include/penstock/options.h": options_header,
    "native/host/options_text.cc": options_text,
    "native/binding/options_from_python.h": options_from_python,
    "server/penstock/_options.py": python_options,
    "server/penstock/_flags.py": python_flags,
    "docs/reference/settings.md": settings_page,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only report files that are stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository to read and write")
    parsed = parser.parse_args(arguments)
    settings = parse((parsed.root / SOURCE).read_text(encoding="utf-8"))
    stale = []
    for name, generate in GENERATED.items():
        path = parsed.root / name
        text = generate(settings)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not parsed.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'is stale; run make generate' if parsed.check else 'written'}")
    return 1 if parsed.check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
