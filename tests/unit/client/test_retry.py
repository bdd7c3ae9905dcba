"""Which failures are tried again, when, and how often. The clock is the test's own."""

from collections.abc import Iterator
from typing import Any

import pytest
from penstock_client import (
    CallError,
    DeadlineError,
    InputError,
    InvalidRequestError,
    OverloadedError,
    RetryPolicy,
    UnavailableError,
)
from penstock_client._core import CLIENT_TIMEOUT, Attempt, Core
from penstock_client._errors import parse_pushback_s
from penstock_client._retry import RetryBudget, retry_delay_s

DOWN = UnavailableError("UNAVAILABLE", "no server")
FULL = OverloadedError("RESOURCE_EXHAUSTED", "full")
SLOW_DOWN = OverloadedError("RESOURCE_EXHAUSTED", "full", retry_after_s=0.25)
GO_AWAY = UnavailableError("UNAVAILABLE", "stopping", retry_forbidden=True)
LIVE = b"\x08\x01"  # ServerLiveResponse(live=True)


class Calls:
    """A Core on a manual clock: each attempt takes `attempt_s` and ends with the next outcome."""

    def __init__(self, *, timeout: float | None = 60.0, random: float = 0.0, **policy: Any) -> None:
        self.now_s = 1000.0
        self.core = Core(
            timeout=timeout,
            retry=RetryPolicy(**policy),
            clock=lambda: self.now_s,
            random_unit=lambda: random,
        )
        self.attempts: list[Attempt] = []
        self.timeouts_s: list[float | None] = []

    def live(self, *outcomes: bytes | CallError, attempt_s: float = 0.0) -> bool:
        """The result of server_live(); all outcomes must be asked for."""
        story = self.core.server_live(CLIENT_TIMEOUT)
        left: Iterator[bytes | CallError] = iter(outcomes)
        try:
            attempt = next(story)
            while True:
                self.attempts.append(attempt)
                self.now_s += attempt.delay_s
                self.timeouts_s.append(attempt.timeout_s(self.now_s))
                self.now_s += attempt_s
                outcome = next(left)
                if isinstance(outcome, CallError):
                    attempt = story.throw(outcome)
                else:
                    attempt = story.send(outcome)
        except StopIteration as end:
            assert list(left) == []
            result: bool = end.value
            return result

    @property
    def delays_s(self) -> list[float]:
        return [attempt.delay_s for attempt in self.attempts]


@pytest.mark.parametrize("failure", [DOWN, SLOW_DOWN], ids=["unavailable", "pushback"])
def test_safe_failure_is_tried_again_until_it_succeeds(failure: CallError) -> None:
    calls = Calls()
    assert calls.live(failure, failure, LIVE)
    assert len({(attempt.method, attempt.request) for attempt in calls.attempts}) == 1


@pytest.mark.parametrize(
    "failure",
    [
        FULL,
        GO_AWAY,
        OverloadedError("RESOURCE_EXHAUSTED", "full", retry_forbidden=True),
        InvalidRequestError("INVALID_ARGUMENT", "wrong", retry_after_s=0.0),
        DeadlineError("DEADLINE_EXCEEDED", "late"),
        CallError("INTERNAL", "broken", retry_after_s=0.0),
        CallError("CANCELLED", "closed"),
    ],
    ids=["no pushback", "forbidden", "forbidden full", "invalid", "deadline", "internal", "closed"],
)
def test_any_other_failure_is_raised_at_once(failure: CallError) -> None:
    calls = Calls()
    with pytest.raises(CallError) as raised:
        calls.live(failure)
    assert raised.value is failure


def test_last_failure_is_raised_after_all_attempts() -> None:
    calls = Calls(attempts_max=3)
    with pytest.raises(OverloadedError) as raised:
        calls.live(DOWN, DOWN, SLOW_DOWN)
    assert raised.value is SLOW_DOWN


def test_backoff_grows_up_to_its_limit() -> None:
    calls = Calls(
        attempts_max=6, backoff_initial_s=0.1, backoff_multiplier=3, backoff_max_s=2, random=0.0
    )
    assert calls.live(DOWN, DOWN, DOWN, DOWN, DOWN, LIVE)
    assert calls.delays_s == pytest.approx([0, 0.05, 0.15, 0.45, 1.0, 1.0])


def test_backoff_is_random_between_its_half_and_itself() -> None:
    policy = RetryPolicy(backoff_initial_s=0.4)
    assert [
        retry_delay_s(policy, DOWN, attempts=1, random=random) for random in (0.0, 0.5, 1.0)
    ] == pytest.approx([0.2, 0.3, 0.4])


def test_backoff_of_any_policy_is_finite() -> None:
    policy = RetryPolicy(attempts_max=10_000, backoff_multiplier=1e300, backoff_max_s=7)
    assert retry_delay_s(policy, DOWN, attempts=9_999, random=1.0) == 7


def test_pushback_is_waited_out_as_it_is() -> None:
    calls = Calls(backoff_max_s=0.1, random=0.9)
    assert calls.live(SLOW_DOWN, LIVE)
    assert calls.delays_s == [0, 0.25]


def test_deadline_is_one_for_all_attempts() -> None:
    calls = Calls(timeout=10.0, backoff_initial_s=2.0, backoff_max_s=2.0)
    assert calls.live(DOWN, DOWN, LIVE, attempt_s=1.5)
    assert calls.timeouts_s == [10.0, 7.5, 5.0]


def test_retry_that_would_miss_the_deadline_is_not_waited_for() -> None:
    calls = Calls(timeout=0.25)
    with pytest.raises(OverloadedError):
        calls.live(SLOW_DOWN)
    assert Calls(timeout=0.26).live(SLOW_DOWN, LIVE)


def test_no_timeout_is_no_deadline() -> None:
    calls = Calls(timeout=None)
    assert calls.live(OverloadedError("RESOURCE_EXHAUSTED", "full", retry_after_s=1e6), LIVE)
    assert calls.timeouts_s == [None, None]


def test_budget_ends_retries_of_all_calls_of_a_client() -> None:
    calls = Calls(attempts_max=9, budget_tokens_max=3)
    with pytest.raises(UnavailableError):
        calls.live(DOWN, DOWN, DOWN, DOWN)
    with pytest.raises(UnavailableError):
        calls.live(DOWN)


def test_budget_is_refilled_by_success() -> None:
    calls = Calls(budget_tokens_max=1, budget_tokens_per_success=0.5)
    assert calls.live(DOWN, LIVE)  # takes 1, brings 0.5 back
    with pytest.raises(UnavailableError):
        calls.live(DOWN)
    assert calls.live(LIVE)
    assert calls.live(DOWN, LIVE)


def test_budget_never_holds_more_than_its_maximum() -> None:
    budget = RetryBudget(RetryPolicy(budget_tokens_max=2, budget_tokens_per_success=1))
    for _ in range(9):
        budget.give_back()
    assert [budget.take() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1500", 1.5),
        ("2147483647", 2147483.647),
        ("2147483648", None),
        ("9" * 5000, None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("", None),
        (" 1", None),
        ("soon", None),
        ("\u0663", None),  # a digit, but none of ASCII
    ],
)
def test_pushback_is_read_to_the_letter(value: str, seconds: float | None) -> None:
    assert parse_pushback_s(value) == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts_max": 0},
        {"backoff_initial_s": -0.1},
        {"backoff_multiplier": 0.5},
        {"backoff_max_s": float("nan")},
        {"budget_tokens_max": -1},
        {"budget_tokens_per_success": -1},
    ],
)
def test_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} is .* is needed"):
        RetryPolicy(**wrong)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_timeout_that_makes_no_sense_is_refused(timeout: float) -> None:
    with pytest.raises(InputError, match="seconds above 0 or None"):
        Core(timeout=timeout, retry=None)
    with pytest.raises(InputError, match="seconds above 0 or None"):
        next(Core(timeout=None, retry=None).server_live(timeout))
