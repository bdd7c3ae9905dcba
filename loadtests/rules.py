"""PURE. Pass and fail: rules on Locust's statistics.

A rule looks at a RequestStats and says what it saw and whether that will do. Rules that name a
`part` look at the entries whose name contains it: a model, or a stage such as "[after]".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Entry(Protocol):
    """What the rules read of Locust's StatsEntry."""

    num_requests: int
    num_failures: int
    response_times: Mapping[Any, int]


class Stats(Protocol):
    """What the rules read of Locust's RequestStats."""

    entries: Mapping[Any, Any]  # (name, method) to Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule saw."""

    passed: bool
    text: str


Rule = Callable[[Stats], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Entries of one part, added up. Times are Locust's own: ms, rounded to two digits."""

    requests: int
    failures: int
    times_ms: Mapping[float, int]

    def percentile_ms(self, percent: float) -> float:
        """Nearest rank; 0 where nothing was timed."""
        count = sum(self.times_ms.values())
        seen = 0
        for time_ms in sorted(self.times_ms):
            seen += self.times_ms[time_ms]
            if seen * 100 >= percent * count:
                return time_ms
        return 0.0


def figures_of(stats: Stats, part: str = "") -> Figures:
    """Adds up the entries whose name contains `part`; all of them without one."""
    requests = failures = 0
    times: Counter[float] = Counter()
    for (name, _method), entry in stats.entries.items():
        if part in name:
            requests += entry.num_requests
            failures += entry.num_failures
            times.update(dict(entry.response_times))
    return Figures(requests=requests, failures=failures, times_ms=times)


def requests_at_least(count: int, part: str = "") -> Rule:
    """A test that sent nothing has shown nothing."""

    def rule(stats: Stats) -> Finding:
        seen = figures_of(stats, part).requests
        return Finding(passed=seen >= count, text=f"{_of(part)}{seen} requests, >= {count} wanted")

    return rule


def failures_at_most(share: float, part: str = "") -> Rule:
    """Errors and wrong answers together; no requests at all is a failure too."""

    def rule(stats: Stats) -> Finding:
        seen = figures_of(stats, part)
        return Finding(
            passed=seen.requests > 0 and seen.failures <= share * seen.requests,
            text=f"{_of(part)}{seen.failures} of {seen.requests} failed, <= {share:.1%} wanted",
        )

    return rule


def percentile_at_most(percent: float, bound_ms: float, part: str = "") -> Rule:
    """A latency that the part must keep; no requests is no proof."""

    def rule(stats: Stats) -> Finding:
        seen = figures_of(stats, part)
        time_ms = seen.percentile_ms(percent)
        return Finding(
            passed=seen.requests > 0 and time_ms <= bound_ms,
            text=f"{_of(part)}p{percent:g} {time_ms:g} ms, <= {bound_ms:g} ms wanted",
        )

    return rule


def percentile_grows_at_most(
    percent: float, factor: float, *, before: str, after: str, slack_ms: float
) -> Rule:
    """The second part is not slower than the first, but for a factor and what rounding does."""

    def rule(stats: Stats) -> Finding:
        first, second = figures_of(stats, before), figures_of(stats, after)
        first_ms, second_ms = first.percentile_ms(percent), second.percentile_ms(percent)
        bound_ms = factor * first_ms + slack_ms
        return Finding(
            passed=min(first.requests, second.requests) > 0 and second_ms <= bound_ms,
            text=(
                f"p{percent:g} {before} {first_ms:g} ms, {after} {second_ms:g} ms, "
                f"<= {bound_ms:g} ms wanted"
            ),
        )

    return rule


def rate_at_least(rate: float, duration_s: float, part: str = "") -> Rule:
    """The part's requests over the seconds that it took by schedule."""

    def rule(stats: Stats) -> Finding:
        seen = figures_of(stats, part).requests / duration_s
        return Finding(
            passed=seen >= rate, text=f"{_of(part)}{seen:,.0f} requests/s, >= {rate:,.0f} wanted"
        )

    return rule


def _of(part: str) -> str:
    return f"{part}: " if part else ""
