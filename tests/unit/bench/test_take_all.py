"""The optimum that goodput is held against: the exact chain's figures, and its limits."""

from __future__ import annotations

import pytest

from bench import take_all
from bench.take_all import Line


def test_fit_line_is_found() -> None:
    line = take_all.fit([(rows, 0.004 + 0.001 * rows) for rows in (1, 2, 8, 64)])
    assert line.t0_s == pytest.approx(0.004)
    assert line.row_s == pytest.approx(0.001)


@pytest.mark.parametrize(("t0", "bound", "rho"), [(2, 20, 0.584), (5, 50, 0.685), (20, 100, 0.528)])
def test_p99_at_the_exact_chains_best_rate_is_the_bound(t0: int, bound: int, rho: float) -> None:
    """a = 1, so that the rate is the utilisation; the figures are of the exact Markov chain."""
    p99 = take_all.p99_s(Line(t0_s=t0, row_s=1), rho, batch_max=10**6)
    assert p99 == pytest.approx(bound, rel=0.03)


def test_best_rate_meets_the_bound_and_a_little_more_does_not() -> None:
    line = Line(t0_s=0.004, row_s=0.001)
    rate = take_all.best_rate(line, 0.05, batch_max=64)
    assert take_all.p99_s(line, rate, batch_max=64) <= 0.05
    assert take_all.p99_s(line, rate * 1.03, batch_max=64) > 0.05


def test_best_rate_impossible_bound_is_zero() -> None:
    assert take_all.best_rate(Line(t0_s=1, row_s=1), 1.5, batch_max=8) == 0
