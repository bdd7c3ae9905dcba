"""Rules on made-up statistics: each passes and fails where it should."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from loadtests import rules
from loadtests.rules import Rule


@dataclass
class FakeEntry:
    num_requests: int = 0
    num_failures: int = 0
    response_times: dict[float, int] = field(default_factory=dict)


@dataclass
class FakeStats:
    entries: dict[tuple[str, str], FakeEntry]


def stats(**entries: FakeEntry) -> FakeStats:
    return FakeStats({(name, "grpc"): entry for name, entry in entries.items()})


HEALTHY = stats(
    before=FakeEntry(100, 0, {10: 99, 50: 1}),
    after=FakeEntry(200, 2, {20: 190, 400: 10}),
)
EMPTY = stats()


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        (rules.requests_at_least(300), True),
        (rules.requests_at_least(301), False),
        (rules.requests_at_least(101, "before"), False),
        (rules.failures_at_most(0), False),
        (rules.failures_at_most(0.01), True),
        (rules.failures_at_most(0, "before"), True),
        (rules.percentile_at_most(99, 10, "before"), True),
        (rules.percentile_at_most(100, 10, "before"), False),
        (rules.percentile_at_most(99, 399, "after"), False),
        (rules.rate_at_least(20, 10, "after"), True),
        (rules.rate_at_least(21, 10, "after"), False),
    ],
)
def test_rule_on_known_figures(rule: Rule, passes: bool) -> None:
    assert rule(HEALTHY).passed == passes


@pytest.mark.parametrize(
    "rule",
    [
        rules.requests_at_least(1),
        rules.failures_at_most(0),
        rules.failures_at_most(1),
        rules.percentile_at_most(99, 1000),
        rules.percentile_grows_at_most(50, 9, before="b", after="a", slack_ms=9),
        rules.rate_at_least(1, 1),
    ],
)
def test_no_requests_pass_no_rule(rule: Rule) -> None:
    assert not rule(EMPTY).passed


@pytest.mark.parametrize(
    ("factor", "slack_ms", "passes"), [(2, 0, True), (1, 10, True), (1, 9, False)]
)
def test_percentile_grows_at_most(factor: float, slack_ms: float, passes: bool) -> None:
    rule = rules.percentile_grows_at_most(
        50, factor, before="before", after="after", slack_ms=slack_ms
    )
    assert rule(HEALTHY).passed == passes


def test_percentile_is_the_nearest_rank() -> None:
    figures = rules.figures_of(stats(only=FakeEntry(4, 0, {1: 1, 2: 1, 3: 1, 4: 1})))
    assert [figures.percentile_ms(percent) for percent in (25, 50, 75.1, 100)] == [1, 2, 4, 4]


def test_finding_says_what_was_seen_and_wanted() -> None:
    finding = rules.failures_at_most(0, "after")(HEALTHY)
    assert finding.text == "after: 2 of 200 failed, <= 0.0% wanted"
