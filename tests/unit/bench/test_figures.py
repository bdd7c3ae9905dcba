"""The pure part of the benchmark: medians, paired ratios, verdicts and the tables."""

from __future__ import annotations

from typing import Any

import pytest

from bench import figures, targets
from bench.figures import Target


def _round(cpu_us: float, p50_us: float = 10.0, **changes: Any) -> dict[str, Any]:
    measured: dict[str, Any] = {
        "requests": 100,
        "requests_per_s": 50.0,
        "errors_ever": 0,
        "first_error": "",
        "connections_lost": 0,
        "first_loss": "",
        "duration_s": 2.0,
        "server_cpu_s": 1.0,
        "client_cpu_s": 0.5,
        "server_cpu_us_per_request": cpu_us,
        "latency_us": {"p50": p50_us, "p99": 2 * p50_us},
    }
    return measured | changes


def _target(**changes: Any) -> Target:
    fields: dict[str, Any] = {
        "what": "w",
        "scenario": "s",
        "quantity": "cpu_us",
        "subject": "ours",
        "against": "theirs",
        "bound": 4.0,
        "faster": True,
    }
    return Target(**(fields | changes))


def test_summarize_odd_number_gives_median_and_range() -> None:
    summary = figures.summarize([3.0, 1.0, 20.0])
    assert (summary.median, summary.lowest, summary.highest) == (3.0, 1.0, 20.0)


def test_ratio_pairs_rounds_that_ran_side_by_side() -> None:
    # Both slow down threefold in the second round; the ratio must not notice.
    summary = figures.ratio([10.0, 30.0, 10.0], [2.0, 6.0, 2.0])
    assert (summary.lowest, summary.highest) == (5.0, 5.0)


def test_ratio_of_unequal_rounds_raises() -> None:
    with pytest.raises(ValueError, match="shorter"):
        figures.ratio([1.0, 2.0], [1.0])


def test_judge_faster_target_divides_theirs_by_ours() -> None:
    rounds = {"s": {"ours": [_round(2.0)], "theirs": [_round(10.0)]}}
    verdict = figures.judge(_target(), rounds)
    assert verdict.figure is not None
    assert verdict.figure.median == 5.0
    assert verdict.passed


@pytest.mark.parametrize(("ours", "passed"), [(12.0, True), (12.5, True), (12.6, False)])
def test_judge_latency_target_divides_ours_by_theirs(ours: float, passed: bool) -> None:
    target = _target(quantity="p50_us", bound=1.25, faster=False)
    rounds = {"s": {"ours": [_round(1, ours)], "theirs": [_round(1, 10.0)]}}
    assert figures.judge(target, rounds).passed is passed


def test_judge_absolute_target_needs_only_the_subject() -> None:
    target = _target(against=None, bound=4.2, faster=False)
    verdict = figures.judge(target, {"s": {"ours": [_round(4.1)]}})
    assert verdict.passed


@pytest.mark.parametrize("rounds", [{}, {"s": {}}, {"s": {"ours": [_round(1)], "theirs": []}}])
def test_judge_missing_contender_is_no_pass(rounds: dict[str, Any]) -> None:
    verdict = figures.judge(_target(), rounds)
    assert verdict.figure is None
    assert not verdict.passed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors_ever": 2, "first_error": "grpc-status 13"}, "2 wrong replies.*grpc-status 13"),
        ({"connections_lost": 1, "first_loss": "closed"}, "closed"),
        ({"requests": 0}, "no request"),
    ],
)
def test_check_round_bad_round_raises(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(figures.BadRoundError, match=message):
        figures.check_round(_round(1.0, **changes))


def test_check_round_good_round_passes() -> None:
    figures.check_round(_round(1.0))


def test_quantity_unknown_name_raises() -> None:
    with pytest.raises(KeyError):
        figures.quantity(_round(1.0), "wishes")


def test_verdict_table_shows_pass_miss_and_not_measured() -> None:
    verdicts = [
        figures.judge(_target(), {"s": {"ours": [_round(2.0)], "theirs": [_round(10.0)]}}),
        figures.judge(_target(), {"s": {"ours": [_round(5.0)], "theirs": [_round(10.0)]}}),
        figures.judge(_target(), {}),
    ]
    rows = figures.verdict_table(verdicts).splitlines()[2:]
    assert [row.split("|")[-2].strip() for row in rows] == ["pass", "MISS", "miss"]
    assert "5.00 (5.00 to 5.00)x" in rows[0]
    assert "not measured" in rows[2]


def test_scenario_table_names_who_was_left_out() -> None:
    table = figures.scenario_table("load", {"ours": [_round(2.0)], "theirs": []})
    assert "| theirs | not there |" in table
    assert "2.00 (2.00 to 2.00)" in table


def test_targets_name_only_contenders_of_their_scenario() -> None:
    contenders = {each.name: set(each.contenders) for each in targets.SCENARIOS}
    for target in targets.TARGETS:
        names = {target.subject} | ({target.against} if target.against else set())
        assert names <= contenders[target.scenario], target.what


def test_foreign_share_is_the_median_over_all_rounds() -> None:
    rounds = [_round(1.0, foreign_share=share) for share in (0.0, 0.02, 0.9)]
    assert figures.foreign_share({"s": {"ours": rounds}}) == 0.02


def test_foreign_share_without_rounds_is_zero() -> None:
    assert figures.foreign_share({"s": {"ours": []}}) == 0.0
