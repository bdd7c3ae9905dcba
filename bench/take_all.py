"""PURE. The best that one worker can do: batches that take everything that waits.

A batch of b rows takes t0 + a * b. Under Poisson arrivals and a bound on the 99th percentile no
policy is known to beat take-all by more than a per cent or so (a cap or a linger changes its best
rate by less), so its highest rate within the bound is what a server's goodput is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ARRIVALS = 200_000
_STEPS = 20  # of the bisection


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """l(b) = t0_s + row_s * b, in seconds."""

    t0_s: float
    row_s: float

    def seconds(self, rows: int) -> float:
        """How long a batch of so many rows takes."""
        return self.t0_s + self.row_s * rows


def fit(durations: Sequence[tuple[int, float]]) -> Line:
    """The line through measured (rows, seconds), by relative error."""
    rows = np.array([rows for rows, _ in durations], dtype=float)
    seconds = np.array([seconds for _, seconds in durations])
    design = np.stack([np.ones_like(rows), rows], axis=1) / seconds[:, None]
    (t0, row), *_ = np.linalg.lstsq(design, np.ones_like(rows), rcond=None)
    return Line(t0_s=max(float(t0), 0.0), row_s=max(float(row), 0.0))


def p99_s(line: Line, rate: float, *, batch_max: int, seed: int = 1) -> float:
    """The 99th percentile of the latency at a Poisson rate, by simulation."""
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, _ARRIVALS))
    latencies = np.empty(_ARRIVALS)
    first, free_at = 0, 0.0
    while first < _ARRIVALS:
        start = max(free_at, float(arrivals[first]))
        waiting = int(np.searchsorted(arrivals, start, side="right"))
        last = min(max(waiting, first + 1), first + batch_max)
        free_at = start + line.seconds(last - first)
        latencies[first:last] = free_at - arrivals[first:last]
        first = last
    return float(np.percentile(latencies, 99))


def best_rate(line: Line, slo_s: float, *, batch_max: int) -> float:
    """The highest Poisson rate whose p99 stays within slo_s; 0 where even one alone does not."""
    if line.seconds(1) > slo_s:
        return 0.0
    low, high = 0.0, batch_max / line.seconds(batch_max)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if p99_s(line, middle, batch_max=batch_max) <= slo_s:
            low = middle
        else:
            high = middle
    return low
