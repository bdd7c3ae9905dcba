"""The charts of the report: which figures, on which axes. PURE."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from penstock.bench.charts import (
    Axis,
    Limit,
    Series,
    draw_chart,
    linear_axis,
    log_axis,
    tail_axis,
    tail_of,
)
from penstock.bench.measurement import Histogram, Second
from penstock.bench.outcome import BenchOutcome, BenchRun
from penstock.bench.summary import milliseconds

__all__ = [
    "Chart",
    "count_timeline",
    "latency_against_rate",
    "latency_timeline",
    "percentile_curve",
]

# Drawing and its legend: (style, name).
Chart = tuple[str, tuple[tuple[str, str], ...]]

_LOG_FROM_RATIO = 20.0
_CURVE_STEPS_PER_NINE = 24
# The last call of a second may be due a little before its end.
_CUT_S = 0.05
_CURVE = (
    (50.0, "p50: half of all calls are faster", "blue"),
    (99.0, "p99: 1 of 100 is slower", "orange"),
    (99.9, "p99.9: 1 of 1,000 is slower", "violet"),
)


def latency_against_rate(outcome: BenchOutcome) -> Chart | None:
    """One dot for each run with a rate of its own; of one run with many rates, one for each second.
    None where there was only one rate."""
    runs = sorted(
        (run for run in outcome.runs if run.rate is not None and run.measured.latency.count),
        key=lambda run: run.rate or 0.0,
    )
    if len({run.rate for run in runs}) > 1:
        return _runs_against_rate(outcome, runs)
    if len(set(outcome.settings.rates)) > 1:
        return _seconds_against_rate(outcome)
    return None


def _runs_against_rate(outcome: BenchOutcome, runs: Sequence[BenchRun]) -> Chart:
    missed = tuple(run.verdict is not None and not run.verdict.met for run in runs)
    series = []
    for percent, name, style in _CURVE:
        points = tuple(
            (run.rate or 0.0, (run.measured.latency.percentile_us(percent) or 0.0) / 1e3)
            for run in runs
        )
        titles = tuple(
            f"{rate:,.0f} calls/s: p{percent:g} {milliseconds(value * 1e3)} ms"
            for rate, value in points
        )
        series.append(
            Series(
                name=name,
                style=style,
                points=points,
                line=_medians(points),
                dots=True,
                hollow=missed,
                titles=titles,
            )
        )
    rates = [run.rate or 0.0 for run in runs]
    low = 0.0 if min(rates) < max(rates) / 2 else min(rates)
    return _latency_chart(
        outcome,
        "Latency against the offered rate",
        linear_axis("calls offered a second", max(rates), low),
        series,
    )


def _medians(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """One point for each rate: runs that confirm others must not make the line jump up and down."""
    rates = sorted({rate for rate, _ in points})
    return tuple(
        (rate, statistics.median(value for at, value in points if at == rate)) for rate in rates
    )


def _seconds_against_rate(outcome: BenchOutcome) -> Chart | None:
    seconds = [second for second in outcome.shown.measured.seconds if second.ok and second.offered]
    if len(seconds) < 2:
        return None
    seconds.sort(key=lambda second: second.offered)
    columns = [
        ("p50 of a second", "blue", [second.p50_us / 1e3 for second in seconds]),
        ("p99 of a second", "orange", [second.p99_us / 1e3 for second in seconds]),
    ]
    rates = [float(second.offered) for second in seconds]
    series = [
        Series(name=name, style=style, points=tuple(zip(rates, values, strict=True)), dots=True)
        for name, style, values in columns
    ]
    # The seconds came in time's order, not in the rate's: a line between them would mean nothing.
    axis = linear_axis("calls offered in that second", max(rates))
    return _latency_chart(
        outcome, "Latency of each second against its rate", axis, series, lines=False
    )


def percentile_curve(outcome: BenchOutcome) -> Chart | None:
    measured = outcome.shown.measured
    if measured.latency.count < 2:
        return None
    start = "due" if outcome.shown.open_loop else "sent"
    series = [_curve(f"from the moment a call was {start}", "blue", measured.latency)]
    if outcome.shown.open_loop:
        series.append(_curve("from the moment it was sent", "grey", measured.latency_from_send))
    percent_max = _percent_max(measured.latency)
    return _latency_chart(
        outcome,
        "Latency by percentile",
        tail_axis("share of calls that were faster", percent_max),
        series,
    )


def _curve(name: str, style: str, histogram: Histogram) -> Series:
    last = tail_of(_percent_max(histogram))
    steps = max(2, round(last * _CURVE_STEPS_PER_NINE))
    points = []
    for step in range(steps + 1):
        at = last * step / steps
        value = histogram.percentile_us(100 * (1 - 10**-at))
        points.append((at, (value or 0.0) / 1e3))
    return Series(name=name, style=style, points=tuple(points))


def _percent_max(histogram: Histogram) -> float:
    """Further out there is nothing but the slowest call."""
    return 100 * (1 - 1 / max(2, histogram.count))


def count_timeline(outcome: BenchOutcome) -> Chart | None:
    seconds = _whole_seconds(outcome)
    if len(seconds) < 2:
        return None
    columns = [
        ("ok", "green", [second.ok for second in seconds]),
        ("failed", "red", [second.failed for second in seconds]),
        # Last, so that its dashes stay visible above the line that it should equal.
        ("offered", "grey", [second.offered for second in seconds]),
    ]
    series = [
        Series(name=name, style=style, points=_by_second(seconds, values))
        for name, style, values in columns
    ]
    highest = max(max(values) for _, _, values in columns)
    drawing = draw_chart(
        title="Calls in each second",
        x=_time_axis(seconds),
        y=linear_axis("calls in a second", float(highest), whole=True),
        series=series,
    )
    return drawing, tuple((each.style, each.name) for each in series)


def latency_timeline(outcome: BenchOutcome) -> Chart | None:
    seconds = _whole_seconds(outcome)
    if not any(second.p99_us for second in seconds):
        return None
    columns = [
        ("p50 of the second", "blue", [second.p50_us / 1e3 for second in seconds]),
        ("p99 of the second", "orange", [second.p99_us / 1e3 for second in seconds]),
        ("slowest call", "violet", [second.max_us / 1e3 for second in seconds]),
    ]
    series = [
        Series(name=name, style=style, points=_by_second(seconds, values))
        for name, style, values in columns
    ]
    return _latency_chart(outcome, "Latency in each second", _time_axis(seconds), series)


def _whole_seconds(outcome: BenchOutcome) -> list[Second]:
    """A last second of which the run saw only a part would look like a collapse."""
    measured = outcome.shown.measured
    whole = [
        second
        for second in measured.seconds
        if second.index + 1 <= min(measured.duration_s, measured.elapsed_s) + _CUT_S
        or second.failed
    ]
    return whole or list(measured.seconds)


def _by_second(
    seconds: Sequence[Second], values: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    return tuple(
        (float(second.index), float(value)) for second, value in zip(seconds, values, strict=True)
    )


def _time_axis(seconds: Sequence[Second]) -> Axis:
    last = seconds[-1].index
    return linear_axis("second of the run", float(max(1, last)), whole=True)


def _latency_chart(
    outcome: BenchOutcome, title: str, x: Axis, series: Sequence[Series], *, lines: bool = True
) -> Chart:
    slo = outcome.settings.slo
    values = [y for each in series for _, y in each.points if y > 0]
    if slo is not None:
        values.append(slo.limit_ms)
    log = max(values) > _LOG_FROM_RATIO * min(values)
    y = (
        log_axis("latency, ms (log scale)", values)
        if log
        else linear_axis("latency, ms", max(values))
    )
    drawing = draw_chart(
        title=title,
        x=x,
        y=y,
        series=series,
        limit=Limit(value=slo.limit_ms, text=f"SLO: {slo.text.replace('<=', '≤')}")
        if slo
        else None,
        lines=lines,
    )
    return drawing, tuple((each.style, each.name) for each in series)
