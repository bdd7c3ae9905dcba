"""How the scalability walk is judged."""

from __future__ import annotations

import pytest

from loadtests.scenarios import scalability
from loadtests.scenarios.scalability import Point


def point(io_threads: int, connections: int, rate: float, **more: float) -> Point:
    failed = int(more.get("failed", 0))
    return Point(
        io_threads=io_threads,
        connections=connections,
        rate=rate,
        failed=failed,
        busy_share=more.get("busy_share", 0.5),
    )


def passed(points: list[Point], cores: int) -> bool:
    return all(each.passed for each in scalability.judge(points, cores=cores))


@pytest.mark.parametrize(
    ("largest", "walk"), [(1, [1]), (2, [1, 2]), (3, [1, 2]), (16, [1, 2, 4, 8, 16])]
)
def test_doubling(largest: int, walk: list[int]) -> None:
    assert scalability.doubling(largest) == walk


def test_growth_with_cores_to_spare_is_asked_for() -> None:
    assert passed([point(1, 1, 100), point(2, 1, 190)], cores=4)
    assert not passed([point(1, 1, 100), point(2, 1, 120)], cores=4)


def test_no_growth_is_asked_for_where_the_generator_shares_the_cores() -> None:
    assert passed([point(1, 1, 100), point(2, 1, 80)], cores=2)
    assert not passed([point(1, 1, 100), point(2, 1, 60)], cores=2)


def test_generator_at_its_limit_is_no_fault_of_the_server() -> None:
    assert passed([point(1, 1, 100), point(2, 1, 120, busy_share=0.99)], cores=4)


def test_connections_that_cost_throughput_break_a_rule() -> None:
    assert not passed([point(1, 1, 100), point(1, 8, 70)], cores=2)


def test_failed_call_breaks_a_rule() -> None:
    assert not passed([point(1, 1, 100, failed=1)], cores=2)
