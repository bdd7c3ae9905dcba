"""Line charts as inline SVG: scales, ticks, axes, lines. PURE; knows nothing of load tests.

Colours are classes, which the page's style sheet defines for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = [
    "Axis",
    "Limit",
    "Series",
    "draw_chart",
    "format_number",
    "linear_axis",
    "log_axis",
    "tail_axis",
    "tail_of",
]

_WIDTH, _HEIGHT = 760, 312
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 34, 46
_TICKS_WANTED = 6
_TAIL_PERCENTS = (0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        if self.log:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    name: str
    style: str  # a class of the style sheet
    points: tuple[Point, ...]
    line: tuple[Point, ...] | None = None  # where it does not go through the points
    dots: bool = False
    hollow: tuple[bool, ...] = ()  # dots drawn hollow, by index
    titles: tuple[str, ...] = ()  # of the dots


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line across the chart."""

    value: float
    text: str


def linear_axis(label: str, high: float, low: float = 0.0, *, whole: bool = False) -> Axis:
    """From low to a round value that high does not exceed."""
    width = high - low
    if width <= 0:
        width = abs(high) or 1.0
    step = _round_up(width / _TICKS_WANTED)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step), math.ceil((low + width) / step - 1e-9)
    values = [at * step for at in range(first, last + 1)]
    return Axis(
        label=label,
        low=values[0],
        high=values[-1],
        ticks=tuple((value, format_number(value)) for value in values),
    )


def log_axis(label: str, values: Sequence[float]) -> Axis:
    """Around all values above 0, by steps of 1, 2, 5 where few decades allow."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = _step_below(min(positive)), _step_above(max(positive))
    if low >= high:
        high = low * 10
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    digits = (1,) if last - first > 3 else (1, 2, 5)
    ticks = [digit * 10.0**at for at in range(first, last + 1) for digit in digits]
    inside = [value for value in ticks if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
    return Axis(
        label=label,
        low=low,
        high=high,
        ticks=tuple((value, format_number(value)) for value in inside),
        log=True,
    )


def tail_axis(label: str, percent_max: float) -> Axis:
    """Percentiles by the nines: as far from 99 to 99.9 as from 90 to 99."""
    shown = [percent for percent in _TAIL_PERCENTS if percent <= max(percent_max, 99)]
    return Axis(
        label=label,
        low=tail_of(0),
        high=tail_of(max(percent_max, 99)),
        ticks=tuple((tail_of(percent), f"{percent:.10g} %") for percent in shown),
    )


def tail_of(percent: float) -> float:
    """Where a percentile lies on a tail_axis."""
    return -math.log10(1 - percent / 100)


def draw_chart(
    *,
    title: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    limit: Limit | None = None,
    lines: bool = True,
) -> str:
    """title is for people who cannot see the chart. Without lines, only the dots."""

    def at_x(value: float) -> float:
        return _LEFT + x.share(value) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(value: float) -> float:
        return _HEIGHT - _BOTTOM - y.share(value) * (_HEIGHT - _TOP - _BOTTOM)

    pieces = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_axes(x, y, at_x, at_y),
    ]
    if limit is not None and y.low <= limit.value <= y.high:
        height = at_y(limit.value)
        pieces.append(
            f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" '
            f'y2="{height:.1f}"/><text class="limit-text" x="{_LEFT + 8}" '
            f'y="{height - 6:.1f}">{escape(limit.text)}</text>'
        )
    for each in series:
        pieces += _drawn(each, at_x, at_y, lines=lines)
    return "".join([*pieces, "</svg>"])


def _axes(
    x: Axis, y: Axis, at_x: Callable[[float], float], at_y: Callable[[float], float]
) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    pieces = []
    for value, text in y.ticks:
        height = at_y(value)
        pieces.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" '
            f'y2="{height:.1f}"/><text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">'
            f"{text}</text>"
        )
    for value, text in x.ticks:
        across = at_x(value)
        pieces.append(
            f'<line class="grid" x1="{across:.1f}" x2="{across:.1f}" y1="{_TOP}" y2="{bottom}"/>'
            f'<text x="{across:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>'
        )
    pieces.append(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    )
    pieces.append(
        f'<text class="label" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x.label)}</text>'
        f'<text class="label" x="4" y="13">{escape(y.label)}</text>'
    )
    return pieces


def _drawn(
    series: Series,
    at_x: Callable[[float], float],
    at_y: Callable[[float], float],
    *,
    lines: bool,
) -> list[str]:
    line = series.points if series.line is None else series.line
    path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line)
    pieces = []
    if lines and len(line) > 1:
        pieces.append(f'<polyline class="line {series.style}" points="{path}"/>')
    # A single point is no line and would be invisible without a dot.
    if not (series.dots or len(series.points) == 1):
        return pieces
    for index, (x, y) in enumerate(series.points):
        hollow = " hollow" if index < len(series.hollow) and series.hollow[index] else ""
        title = f"<title>{escape(series.titles[index])}</title>" if series.titles else ""
        pieces.append(
            f'<circle class="dot {series.style}{hollow}" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" '
            f'r="3.5">{title}</circle>'
        )
    return pieces


def format_number(value: float) -> str:
    """Short: 0.25, 12, 3k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in (1, 2, 2.5, 5, 10) if digit * power >= value * 0.999)


def _step_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(digit * power for digit in (1, 2, 5) if digit * power <= value * 1.0001)


def _step_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * 0.9999)
