"""bench.perf_analyzer: what it reads from both sides, and when they agree."""

from __future__ import annotations

import pytest

from bench.perf_analyzer import Seen, compare, difference, read_page, read_report

REPORT = """\
  Client:
    Request count: 100
    Avg latency: 6467 usec (standard deviation 10 usec)
  Server:
    Inference count: 100
    Execution count: 90
    Successful request count: 100
    Avg request latency: 6467 usec (overhead 3 usec + queue 9 usec + compute input 20 usec + \
compute infer 6400 usec + compute output 35 usec)
"""
PAGE = """\
penstock_model_stage_seconds_bucket{model="slow",version="1",stage="run",le="+Inf"} 3
penstock_model_stage_seconds_sum{model="slow",version="1",stage="run"} 0.5
penstock_model_stage_seconds_count{model="slow",version="1",stage="run"} 3
penstock_model_call_seconds_sum{model="slow",version="1"} 1.5e-05
penstock_model_call_seconds_count{model="slow",version="1"} 3
"""


def test_report_is_read() -> None:
    parts = {"queue": 9, "decode": 20, "run": 6400, "respond": 35, "call": 6467}
    assert read_report(REPORT) == Seen(calls=100, mean_us=parts)
    assert read_report("perf_analyzer has failed") is None


def test_page_is_read_and_differences_are_means() -> None:
    after = read_page(PAGE)
    assert after == {
        ("run", "sum"): 0.5,
        ("run", "count"): 3,
        ("call", "sum"): 1.5e-05,
        ("call", "count"): 3,
    }
    seen = difference(dict.fromkeys(after, 0.0), after)
    assert seen.calls == 3
    assert seen.mean_us["call"] == pytest.approx(5)


@pytest.mark.parametrize(
    ("queue_us", "calls", "agree"),
    [(1000, 100, True), (1019, 100, True), (1021, 100, False), (1000, 99, False)],
)
def test_rows_pass_within_two_per_cent(queue_us: float, calls: int, agree: bool) -> None:
    means = {"decode": 2.4, "queue": 1000.0, "run": 50.0, "respond": 3.0, "call": 1055.4}
    theirs = Seen(calls=100, mean_us={**means, "decode": 2, "queue": queue_us})
    assert compare(1, theirs, Seen(calls=calls, mean_us=means)).passed is agree
