"""Whether the generator, and not the server, was the limit of a run. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.bench.flag_values import SloTarget
from penstock.bench.measurement import Measurement

__all__ = ["GeneratorHealth", "check_health"]

_BUSY_SHARE_MAX = 0.95
# A generator that is busy all the time and sends half of the calls later than this share of the run
# does not offer the rate, whatever the server does.
_OVERRUN_SHARE = 0.02
# What is said about the server's latency may not be made of the generator's lateness.
_SCHEDULE_ERROR_SHARE_MAX = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorHealth:
    limited: bool  # figures of this run say more about the generator than about the server
    overrun: str  # the rate is beyond what the generator can send: why, or ""
    warnings: tuple[str, ...]


def check_health(
    measured: Measurement, *, open_loop: bool, in_flight_max: int, slo: SloTarget | None
) -> GeneratorHealth:
    limits = []
    if measured.busy_share > _BUSY_SHARE_MAX:
        consequence = (
            "latencies contain its own delays"
            if open_loop
            else "the server may be faster than this shows"
        )
        limits.append(
            f"the generator was busy {measured.busy_share:.0%} of the time: {consequence}. "
            "Lower the load, or run it on another core or machine"
        )
    if measured.counts.generator_limited:
        limits.append(
            f"{measured.counts.generator_limited} calls were due but not sent: --in-flight-max "
            f"{in_flight_max} was reached. They count as failed"
        )
    late = _schedule_warning(measured, slo) if open_loop else None
    warnings = [*limits, *([late] if late else [])]
    if measured.stream_limited:
        warnings.append(
            f"{measured.stream_limited} calls waited for a free HTTP/2 stream: the server allows "
            f"{measured.stream_limit} on a connection. Their waiting is in the latency; raise "
            "--connections to keep it out"
        )
    if measured.connections_lost:
        warnings.append(f"{measured.connections_lost} connections were lost and opened again")
    return GeneratorHealth(
        limited=bool(limits or late),
        overrun=_overrun(measured) if open_loop else "",
        warnings=tuple(warnings),
    )


def _overrun(measured: Measurement) -> str:
    late_us = measured.schedule_error.percentile_us(50) or 0.0
    if measured.busy_share <= _BUSY_SHARE_MAX:
        return ""
    if late_us <= _OVERRUN_SHARE * measured.duration_s * 1e6:
        return ""
    return (
        f"the generator cannot offer this rate: it was busy {measured.busy_share:.0%} of the time "
        f"and sent half of the calls more than {_time(late_us)} late. Lower --rate"
    )


def _schedule_warning(measured: Measurement, slo: SloTarget | None) -> str | None:
    error_us = measured.schedule_error.percentile_us(99)
    if slo is not None:
        against_us, name = slo.limit_ms * 1e3, "the SLO"
    else:
        against_us, name = measured.latency.percentile_us(99) or 0.0, "the p99 latency"
    if error_us is None or against_us <= 0 or error_us <= _SCHEDULE_ERROR_SHARE_MAX * against_us:
        return None
    return (
        f"calls left late: the p99 of the schedule error is {_time(error_us)}, more than "
        f"{_SCHEDULE_ERROR_SHARE_MAX:.0%} of {name} ({_time(against_us)}). The machine is too busy "
        "for this rate"
    )


def _time(value_us: float) -> str:
    return f"{value_us:,.0f} us" if value_us < 1e4 else f"{value_us / 1e3:,.0f} ms"
