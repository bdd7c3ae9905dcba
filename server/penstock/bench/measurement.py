"""What one run measured, as plain values, and what follows from them. PURE.

The fields are those of native/include/penstock/load.h, which says what each of them means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.bench.flag_values import SloTarget

__all__ = [
    "Counts",
    "Histogram",
    "Measurement",
    "PayloadMeasurement",
    "Rates",
    "Second",
    "SloVerdict",
    "judge_slo",
    "rates_of",
    "share_within",
]

# The middle of a histogram's bucket is at most this far from what fell into it.
_BUCKET_ERROR = 0.004
_LAG_MAX_US = 5e5


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    count: int = 0
    mean_us: float = 0.0
    min_us: float = 0.0
    max_us: float = 0.0
    buckets: tuple[tuple[float, int], ...] = ()  # value_us, count; rising

    def percentile_us(self, percent: float) -> float | None:
        """By nearest rank; None without any value."""
        return self.value_at_rank(max(1, math.ceil(percent / 100 * self.count - 1e-9)))

    def value_at_rank(self, rank: int) -> float | None:
        """The rank-th smallest value, from 1 on; None where there are fewer."""
        if not 1 <= rank <= self.count:
            return None
        left = rank
        for value, count in self.buckets:
            left -= count
            if left <= 0:
                return min(max(value, self.min_us), self.max_us)
        return self.max_us

    def count_above(self, limit_us: float) -> int:
        """A bucket that holds the limit counts as below it."""
        if self.max_us <= limit_us:
            return 0
        return sum(count for value, count in self.buckets if value > limit_us * (1 + _BUCKET_ERROR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    offered: int = 0
    sent: int = 0
    ok: int = 0
    wrong: int = 0
    shed: int = 0
    deadline_missed: int = 0
    errors: int = 0
    transport_errors: int = 0
    unanswered: int = 0
    generator_limited: int = 0
    statuses: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    index: int
    offered: int
    sent: int
    ok: int
    failed: int
    in_flight: int
    p50_us: float
    p99_us: float
    max_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadMeasurement:
    counts: Counts
    latency: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    end: str
    failure: str = ""
    duration_s: float = 0.0
    elapsed_s: float = 0.0
    counts: Counts = Counts()
    payloads: tuple[PayloadMeasurement, ...] = ()
    latency: Histogram = Histogram()
    latency_from_send: Histogram = Histogram()
    shed_latency: Histogram = Histogram()
    schedule_error: Histogram = Histogram()
    seconds: tuple[Second, ...] = ()
    examples: tuple[tuple[str, int], ...] = ()
    warmup_calls: int = 0
    connections_lost: int = 0
    stream_limited: int = 0
    stream_limit: int = 0
    cpu_s: float = 0.0
    busy_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Calls a second while the schedule ran."""

    offered: float
    throughput: float  # answered, with whatever status and in whatever time
    goodput: float  # ok: right, and before the deadline


def rates_of(measured: Measurement) -> Rates:
    """Answers that came after the schedule's end count in no rate: a backlog worked off afterwards
    must not look like throughput."""
    counts, duration_s = measured.counts, measured.duration_s
    if duration_s <= 0:
        return Rates(offered=0.0, throughput=0.0, goodput=0.0)
    ok, answered_failed = _known_in_schedule(measured)
    failed = counts.offered - counts.ok
    silent = counts.transport_errors + counts.unanswered + counts.generator_limited
    # Seconds do not say which failures were answers; the whole run does.
    answered_share = max(0, failed - silent) / failed if failed > 0 else 0.0
    return Rates(
        offered=counts.offered / duration_s,
        throughput=(ok + answered_failed * answered_share) / duration_s,
        goodput=ok / duration_s,
    )


def _known_in_schedule(measured: Measurement) -> tuple[float, float]:
    """Calls that were ok and that failed while the schedule ran."""
    counts = measured.counts
    if measured.schedule_error.max_us > _LAG_MAX_US:
        # Where sending lags far behind the schedule, so do the seconds. The mean of the whole time
        # is too low rather than too high.
        share = measured.duration_s / max(measured.duration_s, measured.elapsed_s)
        return share * counts.ok, share * (counts.offered - counts.ok)
    ok = failed = 0.0
    for second in measured.seconds:
        # The share of the time in which this second's answers came that lies in the schedule.
        active_s = min(1.0, measured.elapsed_s - second.index)
        inside_s = min(1.0, measured.duration_s - second.index)
        share = min(1.0, max(0.0, inside_s) / active_s) if active_s > 0 else 0.0
        ok += share * second.ok
        failed += share * second.failed
    return ok, failed


@dataclass(frozen=True, slots=True, kw_only=True)
class SloVerdict:
    met: bool
    share_within: float  # of all calls offered
    # The percentile of all calls, those that failed counted as never answered: None where the
    # percentile itself failed.
    percentile_ms: float | None
    # So few calls lie beyond the percentile that chance decides about it.
    uncertain: bool


# Below so many calls beyond the percentile, it moves by more than a third by chance alone.
_TAIL_CALLS_MIN = 10


def judge_slo(measured: Measurement, slo: SloTarget, deadline_us: int = 0) -> SloVerdict:
    offered = measured.counts.offered
    within = share_within(measured, slo.limit_ms * 1e3, deadline_us)
    rank = max(1, math.ceil(slo.percent / 100 * offered - 1e-9))
    value_us = measured.latency.value_at_rank(rank)
    return SloVerdict(
        met=offered > 0 and measured.end == "finished" and within * 100 >= slo.percent - 1e-9,
        share_within=within,
        percentile_ms=None if value_us is None else value_us / 1e3,
        uncertain=offered * (1 - slo.percent / 100) < _TAIL_CALLS_MIN,
    )


def share_within(measured: Measurement, limit_us: float, deadline_us: int = 0) -> float:
    """The share of all calls offered that were answered, rightly, within limit_us. The latency
    holds calls without an answer too, with the time they were waited for, so that they are not
    counted twice, and never as answered."""
    counts = measured.counts
    if counts.offered == 0:
        return 0.0
    above = measured.latency.count_above(limit_us)
    waited = counts.deadline_missed + counts.unanswered
    waited_below = 0 < deadline_us <= limit_us
    missed = above + waited if waited_below else max(above, waited)
    missed += counts.wrong + counts.shed + counts.errors + counts.transport_errors
    missed += counts.generator_limited
    return max(0.0, 1 - missed / counts.offered)
