"""The table of code points is what the pinned version of `tokenizers` answers."""

from __future__ import annotations

import generate_unicode


def test_unicode_table_is_fresh() -> None:
    assert generate_unicode.PATH.read_text(encoding="utf-8") == generate_unicode.table()
