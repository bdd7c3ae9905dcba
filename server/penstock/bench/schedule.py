"""When calls leave: load profiles as lists of segments, as the engine takes them. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.bench.errors import BenchError

__all__ = ["PROFILES", "Segment", "calls_due", "make_segments", "rate_at"]

# duration_s, rate at its start, rate at its end: linear between.
Segment = tuple[float, float, float]

PROFILES = {
    "steady": "one rate",
    "ramp": "linearly from each rate to the next",
    "step": "each rate for an equal share of the time",
    "spike": "the first rate; the second one during the middle fifth of the time",
    "soak": "one rate, for 10 minutes unless --duration says otherwise",
}
_RATES_NEEDED = {
    "steady": (1, 1),
    "ramp": (2, 100),
    "step": (1, 100),
    "spike": (2, 2),
    "soak": (1, 1),
}
_SPIKE_SHARE = 0.2
# More than anyone waits for, and few enough to be counted exactly.
_CALLS_MAX = 1e11


def make_segments(profile: str, rates: Sequence[float], duration_s: float) -> tuple[Segment, ...]:
    """Together duration_s long."""
    fewest, most = _RATES_NEEDED[profile]
    if not fewest <= len(rates) <= most:
        needed = str(fewest) if fewest == most else f"{fewest} or more"
        raise BenchError(f"--profile {profile} needs {needed} --rate values, got {len(rates)}")
    segments = _shaped(profile, rates, duration_s)
    calls = calls_due(segments)
    if calls > _CALLS_MAX:
        raise BenchError(f"--rate and --duration make {calls:.3g} calls; at most {_CALLS_MAX:.0e}")
    if calls < 1:
        raise BenchError(
            f"--rate and --duration make {calls:.2g} calls; raise one of them so that there is one"
        )
    return segments


def _shaped(profile: str, rates: Sequence[float], duration_s: float) -> tuple[Segment, ...]:
    if profile == "ramp":
        each_s = duration_s / (len(rates) - 1)
        return tuple((each_s, start, end) for start, end in zip(rates, rates[1:], strict=False))
    if profile == "spike":
        base, spike = rates
        before_s, spike_s = duration_s * (1 - _SPIKE_SHARE) / 2, duration_s * _SPIKE_SHARE
        return ((before_s, base, base), (spike_s, spike, spike), (before_s, base, base))
    each_s = duration_s / len(rates)
    return tuple((each_s, rate, rate) for rate in rates)


def calls_due(segments: Sequence[Segment]) -> float:
    return sum(duration_s * (start + end) / 2 for duration_s, start, end in segments)


def rate_at(segments: Sequence[Segment], time_s: float) -> float:
    """The planned rate; 0 behind the end."""
    left_s = time_s
    for duration_s, start, end in segments:
        if left_s < duration_s:
            return start + (end - start) * left_s / duration_s
        left_s -= duration_s
    return 0.0
