"""The sweep's verdict: the rate up to which the SLO holds."""

from __future__ import annotations

import pytest

from bench.slo_accuracy import knee


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ({1.0: [True] * 3, 2.0: [True, False, True], 3.0: [False] * 3}, 2.0),
        ({1.0: [False, False, True], 2.0: [True] * 3}, None),  # a lucky rate above a missed one
        ({1.0: [True] * 2, 2.0: [True, False]}, 1.0),  # a tie is no majority
        ({2.0: [True], 1.0: [True]}, 2.0),  # everything met
    ],
)
def test_knee_is_the_last_rate_before_the_first_miss(
    met: dict[float, list[bool]], expected: float | None
) -> None:
    assert knee(met) == expected
