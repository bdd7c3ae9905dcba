"""When a failed call is tried again, and after how long. PURE but for the budget, which the
threads of a client share.

Must not know: grpcio, clocks, sleeping.
"""

from __future__ import annotations

import dataclasses
import threading

from ._errors import CallError, InputError, OverloadedError, UnavailableError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a client tries again what failed.

    Only what is safe is tried again: UNAVAILABLE, and RESOURCE_EXHAUSTED where the server named a
    pushback. A pushback is waited out as it is; a negative or unreadable one ends the call.
    Otherwise the wait is random between half the backoff and the backoff, which grows with each
    attempt. No wait ever goes beyond the call's deadline.

    A client has a budget of tokens for all its calls: each retry takes one, each call that succeeds
    brings a part of one back, and where none is left nothing is tried again. So a server in trouble
    is not buried under retries.

    Attributes:
        attempts_max: attempts for one call, the first among them; 1 is: no retries.
        backoff_initial_s: the backoff before the first retry, in seconds.
        backoff_multiplier: how much longer each backoff is than the one before.
        backoff_max_s: the longest backoff, in seconds.
        budget_tokens_max: tokens that a client begins with, and never has more of.
        budget_tokens_per_success: what a call that succeeds brings back: 0.1 allows, in the long
            run, one retry for ten answers.
    """

    attempts_max: int = 5
    backoff_initial_s: float = 0.1
    backoff_multiplier: float = 2.0
    backoff_max_s: float = 2.0
    budget_tokens_max: float = 10.0
    budget_tokens_per_success: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (
            ("attempts_max", 1),
            ("backoff_initial_s", 0),
            ("backoff_multiplier", 1),
            ("backoff_max_s", 0),
            ("budget_tokens_max", 0),
            ("budget_tokens_per_success", 0),
        ):
            value = getattr(self, name)
            if not value >= least:  # nan is neither
                raise InputError(f"{name} is {value}, at least {least} is needed")


NO_RETRIES = RetryPolicy(attempts_max=1)


def retry_delay_s(
    policy: RetryPolicy, error: CallError, *, attempts: int, random: float
) -> float | None:
    """Seconds to wait after so many attempts, the last of which ended with `error`; None: give up.

    `random` is from [0, 1).
    """
    if attempts >= policy.attempts_max or error.retry_forbidden:
        return None
    if isinstance(error, OverloadedError | UnavailableError) and error.retry_after_s is not None:
        return error.retry_after_s
    if not isinstance(error, UnavailableError):
        return None
    backoff_s = policy.backoff_initial_s
    for _ in range(attempts - 1):
        backoff_s = min(backoff_s * policy.backoff_multiplier, policy.backoff_max_s)
    return min(backoff_s, policy.backoff_max_s) * (0.5 + random / 2)


class RetryBudget:
    """The tokens of one client. Any thread."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._lock = threading.Lock()
        self._tokens_max = policy.budget_tokens_max
        self._per_success = policy.budget_tokens_per_success
        self._tokens = self._tokens_max

    def take(self) -> bool:
        """Takes a token for a retry; False where there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def give_back(self) -> None:
        """A call succeeded."""
        if self._tokens < self._tokens_max:  # read without the lock: usually nothing is missing
            with self._lock:
                self._tokens = min(self._tokens + self._per_success, self._tokens_max)
