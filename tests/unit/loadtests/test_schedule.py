"""Schedules: users over time, stages, and what cannot be one."""

from __future__ import annotations

import pytest

from loadtests import schedule
from loadtests.schedule import Schedule, climb, hold


def test_users_at_follows_the_stages() -> None:
    two = Schedule(users=1, duration_s=1, stages=(climb("up", 0.5, 0, 1), hold("top", 0.5, 1)))
    users = [two.users_at(at, duration_s=10, users=100) for at in (0, 2.5, 4.999, 5, 9.999)]
    assert users == [1, 50, 100, 100, 100]


@pytest.mark.parametrize("elapsed_s", [10, 10.001, 1e9])
def test_users_at_after_the_end_is_none(elapsed_s: float) -> None:
    assert schedule.STEADY.users_at(elapsed_s, duration_s=10, users=5) is None


def test_stage_at_names_each_and_stays_at_the_last() -> None:
    names = [schedule.SPIKE.stage_at(at, duration_s=100) for at in (0, 34.9, 35.1, 65.1, 100, 200)]
    assert names == ["before", "before", "spike", "after", "after", "after"]


def test_spike_has_ten_times_the_users_for_a_while() -> None:
    users = [schedule.SPIKE.users_at(at, duration_s=100, users=200) for at in (10, 50, 90)]
    assert users == [20, 200, 20]


def test_schedule_whose_stages_are_not_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.9 of the test"):
        Schedule(users=1, duration_s=1, stages=(hold("only", 0.9, 1),))
