"""penstock.bench.slo: the search, on queues whose knee is known exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from penstock.bench.slo import SloAnswer, SloSearch

SERVICE_S = 0.001
LIMIT_S = 10 * SERVICE_S
PERCENT = 99.0


def run_search(search: SloSearch, is_met: Callable[[float], bool]) -> SloAnswer:
    while (rate := search.next_rate()) is not None:
        search.add(rate, met=is_met(rate))
    return search.result()


def exact_knee() -> float:
    """The rate at which 99 % of the customers of an M/D/1 queue stay at most LIMIT_S: Erlang's
    formula for their waiting time."""

    def share_within(rate: float) -> float:
        wait = LIMIT_S / SERVICE_S - 1
        load = rate * SERVICE_S
        terms = (
            (-load * (wait - k)) ** k / math.factorial(k) * math.exp(load * (wait - k))
            for k in range(int(wait) + 1)
        )
        return (1 - load) * sum(terms)

    low, high = 1.0, 1 / SERVICE_S
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if share_within(middle) * 100 >= PERCENT else (low, middle)
    return low


def queue_run(rate: float, calls: int, source: random.Random) -> bool:
    """Whether a run of an M/D/1 queue, simulated call by call, met the SLO."""
    backlog_s = 0.0
    within = 0
    for _ in range(calls):
        backlog_s = max(0.0, backlog_s - source.expovariate(rate))
        within += backlog_s + SERVICE_S <= LIMIT_S
        backlog_s += SERVICE_S
    return within * 100 >= PERCENT * calls


@pytest.mark.parametrize("seed", range(6))
def test_search_on_a_queue_is_within_five_percent(seed: int) -> None:
    source = random.Random(seed)
    answer = run_search(SloSearch(start=700.0), lambda rate: queue_run(rate, 20_000, source))
    knee = exact_knee()
    assert answer.rate is not None
    assert abs(answer.rate / knee - 1) < 0.05, (answer, knee)
    assert answer.why == "found"
    assert answer.confirmed


@pytest.mark.parametrize("start", [1.0, 30.0, 1000.0, 5000.0, 1e6])
def test_search_without_noise_is_as_precise_as_said(start: float) -> None:
    answer = run_search(SloSearch(start=start), lambda rate: rate <= 777)
    assert answer.rate is not None
    assert answer.missed_rate is not None
    assert answer.rate <= 777 < answer.missed_rate <= answer.rate * 1.02
    assert answer.confirmed


@pytest.mark.parametrize("seed", range(20))
def test_search_with_runs_that_lie_mostly_is_near(seed: int) -> None:
    # One run of ten says the opposite. Two of three rarely do.
    source = random.Random(seed)
    answer = run_search(
        SloSearch(start=500.0), lambda rate: (rate <= 777) != (source.random() < 0.1)
    )
    if answer.rate is None:  # it was told so twice
        assert answer.why in ("rate_min", "runs")
        return
    votes = {vote.rate: vote for vote in answer.votes}
    # Wrong only where the votes themselves were.
    assert votes[answer.rate].met > votes[answer.rate].missed
    if answer.rate > 777:
        assert votes[answer.rate].met >= 2


def test_search_confirms_both_sides_with_runs_of_their_own() -> None:
    asked: list[float] = []

    def is_met(rate: float) -> bool:
        asked.append(rate)
        return rate <= 777

    answer = run_search(SloSearch(start=500.0), is_met)
    assert answer.rate is not None
    assert answer.missed_rate is not None
    assert asked.count(answer.rate) == 2
    assert asked.count(answer.missed_rate) == 2


def test_search_lucky_run_is_found_out() -> None:
    lucky = [True]

    def is_met(rate: float) -> bool:
        return rate <= 777 or (780 < rate < 830 and bool(lucky) and lucky.pop())

    answer = run_search(SloSearch(start=800.0), is_met)
    assert answer.rate is not None
    assert 740 < answer.rate <= 777


def test_search_unlucky_run_is_found_out() -> None:
    unlucky = [False]

    def is_met(rate: float) -> bool:
        if rate == 500.0 and unlucky:
            return unlucky.pop()
        return rate <= 777

    answer = run_search(SloSearch(start=500.0), is_met)
    assert answer.rate is not None
    assert 740 < answer.rate <= 777


def test_search_that_nothing_meets_says_so() -> None:
    answer = run_search(SloSearch(start=1000.0, rate_min=10.0), lambda rate: False)
    assert (answer.rate, answer.missed_rate, answer.why) == (None, 10.0, "rate_min")


def test_search_from_far_above_comes_down_in_few_runs() -> None:
    answer = run_search(SloSearch(start=1e6), lambda rate: rate <= 3)
    assert answer.rate is not None
    assert 2.9 < answer.rate <= 3
    assert sum(vote.met + vote.missed for vote in answer.votes) <= 20


def test_search_that_everything_meets_ends_at_the_highest_rate() -> None:
    answer = run_search(SloSearch(start=1000.0, rate_max=5000.0), lambda rate: True)
    assert (answer.rate, answer.missed_rate, answer.why) == (5000.0, None, "rate_max")


def test_search_of_a_coin_ends_and_is_not_called_found_in_vain() -> None:
    for seed in range(20):
        source = random.Random(seed)
        search = SloSearch(start=1000.0, runs_max=25)
        answer = run_search(search, lambda rate, source=source: source.random() < 0.5)  # type: ignore[misc]
        assert sum(vote.met + vote.missed for vote in answer.votes) <= 25
        assert answer.why in ("found", "runs", "rate_min")
        assert answer.why != "found" or answer.confirmed


def test_search_out_of_runs_is_not_confirmed() -> None:
    answer = run_search(SloSearch(start=500.0, runs_max=4), lambda rate: rate <= 777)
    assert answer.why == "runs"
    assert not answer.confirmed
    assert answer.rate is not None
    assert answer.rate <= 777


def test_search_ended_by_the_user_says_so() -> None:
    search = SloSearch(start=500.0)
    search.add(500.0, met=True)
    answer = search.result(stopped=True)
    assert (answer.rate, answer.why, answer.confirmed) == (500.0, "stopped", False)


def test_search_keeps_what_the_generator_limited() -> None:
    search = SloSearch(start=500.0)
    search.add(500.0, met=False, limited=True)
    search.add(500.0, met=True, limited=True)
    assert [vote.limited for vote in search.result().votes] == [1]
