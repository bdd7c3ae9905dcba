"""Columns as other kinds of tables hold them."""

from __future__ import annotations

from typing import Any


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
