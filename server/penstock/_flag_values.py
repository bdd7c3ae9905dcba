"""Turns the text of a command line flag into a value. PURE. Pydantic checks ranges later."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

__all__ = ["parse_duration_ms", "parse_int", "parse_list"]

_DURATION = re.compile(r"([0-9]{1,12})(s|ms|)", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)


def parse_int(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def parse_duration_ms(text: str) -> int:
    """ "30" and "30s" are seconds, "500ms" milliseconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a time such as 30, 30s or 500ms")
    return int(match[1]) * (1 if match[2] == "ms" else 1000)


def parse_list(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))
