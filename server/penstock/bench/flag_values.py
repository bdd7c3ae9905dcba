"""Turns the texts of `penstock bench`'s flags into values. PURE."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from dataclasses import dataclass

__all__ = [
    "ModelChoice",
    "RowShare",
    "SloTarget",
    "parse_address",
    "parse_count",
    "parse_duration_s",
    "parse_limits",
    "parse_model",
    "parse_named",
    "parse_rates",
    "parse_rows",
    "parse_shape",
    "parse_slo",
]

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(rf"({_NUMBER})(us|ms|s|m|h|)", re.ASCII)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_SLO = re.compile(r"p([0-9]{1,2}(?:[._][0-9]{1,4})?)=(.+)", re.ASCII)
_ROWS_MAX = 1 << 20
_RATE_MAX = 1e8
_DEFAULT_PORT = 8001


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    name: str
    version: str  # "": the server chooses
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShare:
    rows: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SloTarget:
    """`percent` % of all calls are answered, rightly, within limit_ms."""

    percent: float
    limit_ms: float

    @property
    def text(self) -> str:
        return f"p{self.percent:g} <= {self.limit_ms:g} ms"


def parse_duration_s(text: str) -> float:
    """ "8" and "8s" are seconds; "500ms", "2m" and so on."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a time such as 8s, 500ms or 2m")
    return float(match[1]) * _SECONDS[match[2]]


def parse_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text, re.ASCII) or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, HOST or [IPV6]:PORT."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]/\s]+)(?::([0-9]{1,5}))?", text, re.ASCII)
    port = int(match[2]) if match and match[2] else _DEFAULT_PORT
    if match is None or not 0 < port < 1 << 16:
        raise ArgumentTypeError(f"{text!r} is not an address such as 127.0.0.1:8001")
    return match[1].strip("[]"), port


def parse_rates(text: str) -> tuple[float, ...]:
    """ "2000" or "500,1000,2000", in calls a second."""
    rates = []
    for piece in text.split(","):
        rate = _positive(piece)
        if rate is None or rate > _RATE_MAX:
            raise ArgumentTypeError(
                f"{piece!r} is not a rate: calls a second, above 0, at most {_RATE_MAX:.0e}"
            )
        rates.append(rate)
    return tuple(rates)


def parse_model(text: str) -> ModelChoice:
    """NAME, NAME/VERSION, NAME:WEIGHT or NAME/VERSION:WEIGHT."""
    name, colon, weight_text = text.rpartition(":")
    weight = _positive(weight_text) if colon else 1.0
    if not colon:
        name = text
    if weight is None:
        raise ArgumentTypeError(f"{text!r}: {weight_text!r} is not a weight above 0")
    name, slash, version = name.partition("/")
    if not name or (slash and not version):
        raise ArgumentTypeError(f"{text!r} is not NAME, NAME/VERSION or NAME:WEIGHT")
    return ModelChoice(name=name, version=version, weight=weight)


def parse_rows(text: str) -> tuple[RowShare, ...]:
    """ "4": always; "1-8": each equally often; "1:0.9,8:0.1": by weight."""
    bounds = re.fullmatch(r"([0-9]{1,7})-([0-9]{1,7})", text, re.ASCII)
    shares = []
    if bounds is not None:
        first, last = int(bounds[1]), int(bounds[2])
        shares = [RowShare(rows=rows, weight=1.0) for rows in range(first, last + 1)]
    else:
        for piece in text.split(","):
            rows, colon, weight_text = piece.partition(":")
            weight = _positive(weight_text) if colon else 1.0
            if not re.fullmatch(r"[0-9]{1,7}", rows, re.ASCII) or weight is None:
                raise ArgumentTypeError(f"{piece!r} is not a number of rows such as 4 or 8:0.1")
            shares.append(RowShare(rows=int(rows), weight=weight))
    if not shares or not all(0 < share.rows <= _ROWS_MAX for share in shares):
        raise ArgumentTypeError(f"{text!r}: rows go from 1 to {_ROWS_MAX}")
    return tuple(shares)


def parse_slo(text: str) -> SloTarget:
    """ "p99=20ms"."""
    match = _SLO.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a goal such as p99=20ms")
    percent = float(match[1].replace("_", "."))
    limit_s = parse_duration_s(match[2])
    if percent <= 0 or limit_s <= 0:
        raise ArgumentTypeError(f"{text!r}: percentile and time are above 0")
    return SloTarget(percent=percent, limit_ms=limit_s * 1e3)


def parse_named(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """ "x=1,64"."""
    name, value = parse_named(text)
    if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", value, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is not a shape such as x=1,64")
    return name, tuple(int(dimension) for dimension in value.split(","))


def parse_limits(text: str) -> tuple[str, tuple[float, float]]:
    """ "x=0,30000"."""
    name, value = parse_named(text)
    try:
        low, high = (float(limit) for limit in value.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ArgumentTypeError(f"{text!r} is not a range such as x=0,30000")
    return name, (low, high)


def _positive(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?(e[0-9]{1,2})?", text, re.ASCII):
        return None
    value = float(text)
    return value if value > 0 else None
