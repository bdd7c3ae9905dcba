"""What follows from a measurement: percentiles, rates, the SLO's verdict, health, exit codes."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.bench.flag_values import SloTarget
from penstock.bench.health import check_health
from penstock.bench.measurement import Histogram, Measurement, Second, judge_slo, rates_of
from penstock.bench.outcome import exit_code_of, failure_of
from support.bench_outcomes import (
    histogram_of,
    measurement_of,
    outcome_of,
    run_of,
    search_outcome,
    settings_of,
)

SLO = SloTarget(percent=99, limit_ms=20)


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=200), st.floats(0.01, 99.99))
def test_percentile_any_is_the_nearest_rank(values: list[float], percent: float) -> None:
    rank = max(1, math.ceil(percent / 100 * len(values) - 1e-9))
    assert histogram_of(values).percentile_us(percent) == sorted(values)[rank - 1]


def test_percentile_of_nothing_is_none() -> None:
    assert Histogram().percentile_us(99) is None


def second(index: int, *, ok: int, failed: int = 0) -> Second:
    return Second(
        index=index,
        offered=100,
        sent=100,
        ok=ok,
        failed=failed,
        in_flight=0,
        p50_us=1.0,
        p99_us=1.0,
        max_us=1.0,
    )


def test_rates_leave_out_what_was_answered_after_the_schedule() -> None:
    # Offered 100 a second for 2 s, answered 50 a second for 4 s.
    measured = measurement_of(
        [1.0] * 200,
        duration_s=2.0,
        elapsed_s=4.0,
        seconds=2,
    )
    measured = replace_seconds(measured, tuple(second(index, ok=50) for index in range(4)))
    rates = rates_of(measured)
    assert (rates.offered, rates.throughput, rates.goodput) == (100, 50, 50)


def test_rates_of_less_than_a_second_count_everything() -> None:
    measured = measurement_of([1.0] * 50, duration_s=0.5, elapsed_s=0.5, seconds=1)
    measured = replace_seconds(measured, (second(0, ok=50),))
    assert rates_of(measured).goodput == pytest.approx(100)


def test_rates_of_a_lagging_generator_are_those_of_the_whole_time() -> None:
    # The engine's seconds go by due time, so that a second due may last for four.
    measured = measurement_of(
        [1.0] * 400,
        duration_s=1.0,
        elapsed_s=4.0,
        seconds=1,
        schedule_error=histogram_of([3e6] * 400),
    )
    rates = rates_of(measured)
    assert (rates.offered, rates.goodput) == (400, 100)


def test_rates_count_refusals_as_answers_and_silence_not() -> None:
    counts = {"ok": 100, "shed": 60, "transport_errors": 40}
    measured = measurement_of([1.0] * 100, counts=counts, duration_s=1.0, elapsed_s=1.0)
    measured = replace_seconds(measured, (second(0, ok=100, failed=100),))
    rates = rates_of(measured)
    assert rates.goodput == pytest.approx(100)
    assert rates.throughput == pytest.approx(160)


def replace_seconds(measured: Measurement, seconds: tuple[Second, ...]) -> Measurement:
    import dataclasses

    return dataclasses.replace(measured, seconds=seconds)


@pytest.mark.parametrize(("slow", "met"), [(0, True), (10, True), (11, False)])
def test_slo_is_met_by_as_many_as_promised(slow: int, met: bool) -> None:
    measured = measurement_of([1e3] * (1000 - slow) + [50e3] * slow)
    verdict = judge_slo(measured, SLO)
    assert verdict.met is met
    assert verdict.share_within == pytest.approx(1 - slow / 1000)


@pytest.mark.parametrize(
    "kind", ["wrong", "shed", "errors", "transport_errors", "generator_limited", "unanswered"]
)
def test_slo_counts_every_failure_as_a_miss(kind: str) -> None:
    good = measurement_of([1e3] * 990, counts={"ok": 990, kind: 10})
    bad = measurement_of([1e3] * 989, counts={"ok": 989, kind: 11})
    assert judge_slo(good, SLO).met
    assert not judge_slo(bad, SLO).met
    assert judge_slo(bad, SLO).percentile_ms is None


def test_slo_calls_that_missed_their_deadline_are_counted_once() -> None:
    # They are in the latency too, with the time that they were waited for.
    values = [1e3] * 990 + [50e3] * 10
    measured = measurement_of(values, counts={"ok": 990, "deadline_missed": 10})
    assert judge_slo(measured, SLO, 50_000).share_within == pytest.approx(0.99)
    early = [1e3] * 990 + [5e3] * 10
    measured = measurement_of(early, counts={"ok": 990, "deadline_missed": 10})
    assert judge_slo(measured, SLO, 5_000).share_within == pytest.approx(0.99)


def test_slo_of_a_run_that_broke_off_is_missed() -> None:
    assert not judge_slo(measurement_of([1e3] * 1000, end="disconnected"), SLO).met


@pytest.mark.parametrize(("calls", "uncertain"), [(999, True), (1000, False)])
def test_slo_of_few_calls_is_called_uncertain(calls: int, uncertain: bool) -> None:
    assert judge_slo(measurement_of([1e3] * calls), SLO).uncertain is uncertain


def test_health_of_an_idle_and_punctual_generator_has_no_warning() -> None:
    health = check_health(measurement_of([1e3] * 100), open_loop=True, in_flight_max=10, slo=None)
    assert (health.limited, health.warnings) == (False, ())


@pytest.mark.parametrize(
    ("fields", "limited", "text"),
    [
        ({"busy_share": 0.97}, True, "busy 97%"),
        (
            {"schedule_error": histogram_of([60.0] * 100)},
            True,
            "p99 of the schedule error is 60 us",
        ),
        ({"counts": {"ok": 99, "generator_limited": 1}}, True, "--in-flight-max 10 was reached"),
        ({"stream_limited": 5, "stream_limit": 100}, False, "the server allows 100"),
        ({"connections_lost": 2}, False, "2 connections were lost"),
    ],
)
def test_health_warns(fields: dict[str, object], limited: bool, text: str) -> None:
    measured = measurement_of([1e3] * 100, **fields)
    health = check_health(measured, open_loop=True, in_flight_max=10, slo=None)
    assert health.limited is limited
    assert text in "\n".join(health.warnings)


def test_health_rate_beyond_the_generator_is_a_failure() -> None:
    settings = settings_of("--rate", "100")
    late = measurement_of([1e6] * 400, busy_share=0.99, schedule_error=histogram_of([9e5] * 400))
    slow_server = measurement_of([1e6] * 400, busy_share=0.99)
    outcome = outcome_of(settings, run_of(settings, late))
    assert "cannot offer this rate" in failure_of(outcome)
    assert exit_code_of(outcome) == 2
    assert exit_code_of(outcome_of(settings, run_of(settings, slow_server))) == 0


def test_calls_not_sent_are_a_failure_without_an_slo_and_a_miss_with_one() -> None:
    rate = settings_of("--rate", "100")
    checked = settings_of("--rate", "100", "--slo", "p99=20ms")
    measured = measurement_of([1e3] * 50, counts={"ok": 50, "generator_limited": 50})
    outcome = outcome_of(rate, run_of(rate, measured))
    assert "50 of 100 calls were not sent, since 100,000 were unanswered" in failure_of(outcome)
    assert exit_code_of(outcome) == 2
    assert exit_code_of(outcome_of(checked, run_of(checked, measured))) == 1


def test_health_schedule_error_is_held_against_the_slo() -> None:
    measured = measurement_of([1e3] * 100, schedule_error=histogram_of([999.0] * 100))
    limited = [
        check_health(measured, open_loop=True, in_flight_max=10, slo=slo).limited
        for slo in (None, SLO, SloTarget(percent=99, limit_ms=19))
    ]
    assert limited == [True, False, True]


def test_exit_codes() -> None:
    rate = settings_of("--rate", "100")
    checked = settings_of("--rate", "100", "--slo", "p99=20ms")
    fast, slow = measurement_of([1e3] * 100), measurement_of([50e3] * 100)
    shed = measurement_of([], counts={"shed": 100})
    lost = measurement_of([1e3], end="disconnected", failure="every connection was lost")
    assert exit_code_of(outcome_of(rate, run_of(rate, slow))) == 0
    assert exit_code_of(outcome_of(checked, run_of(checked, fast))) == 0
    assert exit_code_of(outcome_of(checked, run_of(checked, slow))) == 1
    assert exit_code_of(outcome_of(checked, run_of(checked, shed))) == 1
    assert exit_code_of(outcome_of(rate, run_of(rate, shed))) == 2
    assert exit_code_of(outcome_of(checked, run_of(checked, lost))) == 2
    assert exit_code_of(outcome_of(rate, run_of(rate, fast), interrupted=True)) == 130


def test_search_outcome_shows_a_run_at_the_rate_found() -> None:
    outcome = search_outcome()
    assert outcome.answer is not None
    assert (outcome.answer.rate, outcome.answer.missed_rate) == (1000.0, 1010.0)
    assert outcome.shown.rate == 1000.0
    assert exit_code_of(outcome) == 0


def test_search_that_found_nothing_exits_with_1() -> None:
    settings = settings_of("--slo", "p99=1ms")
    slow = measurement_of([50e3] * 2000)
    outcome = outcome_of(
        settings,
        run_of(settings, slow, purpose="capacity"),
        *[run_of(settings, slow, purpose="search", rate=1.0)] * 2,
    )
    assert exit_code_of(outcome) == 1


def test_failure_says_why_no_call_succeeded() -> None:
    settings = settings_of()
    measured = measurement_of([], counts={"wrong": 7, "errors": 2}, examples=(("INTERNAL: x", 2),))
    assert failure_of(outcome_of(settings, run_of(settings, measured))) == (
        "not one of 9 calls succeeded: 7 wrong answers, 2 errors; INTERNAL: x"
    )


def test_histogram_count_above_counts_the_bucket_of_the_limit_as_below() -> None:
    source = random.Random(1)
    values = [source.uniform(1, 1e5) for _ in range(1000)]
    above = sum(value > 5e4 * 1.004 for value in values)
    assert histogram_of(values).count_above(5e4) == above
    assert histogram_of(values).count_above(1e6) == 0
