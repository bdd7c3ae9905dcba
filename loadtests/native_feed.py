"""Carries the counts of a native run into statistics that are kept elsewhere: portions, texts.

Knows neither Locust nor gevent, so it can be tested beside anything; native_user.py has both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_STOP_POLL_S = 0.01
# What a call can end as but `ok`, in the words of the generator's counts.
_FAILURES = (
    "wrong",
    "shed",
    "deadline_missed",
    "errors",
    "transport_errors",
    "unanswered",
    "generator_limited",
)


class Run(Protocol):
    """What is used of penstock._core.LoadRun."""

    def snapshot(self) -> Any: ...
    def seconds(self, first: int = 0) -> Sequence[Any]: ...
    def stop(self) -> None: ...
    def wait(self, timeout_s: float) -> bool: ...
    def result(self) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What is added to the statistics at once: mostly one second of a run."""

    time_unix: int
    ok: int
    failed: int
    buckets: tuple[tuple[float, int], ...]  # latency in us, count
    max_us: float = 0.0


class Feed:
    """Carries the counts of one run into Locust's statistics. Greenlet of one user."""

    def __init__(
        self,
        run: Run,
        *,
        add: Callable[[Portion], None],
        add_failure_text: Callable[[str, int], None],
        sleep: Callable[[float], None],
        unix_time: Callable[[], float],
    ) -> None:
        self._run = run
        self._add_to_stats = add
        self._add_failure_text = add_failure_text
        self._sleep = sleep
        self._unix_time = unix_time
        self._next_second = 0
        self._fed_ok = 0
        self._fed_failed = 0
        self._fed_buckets: Counter[float] = Counter()

    def poll(self) -> bool:
        """Adds the seconds that have passed; False once the run has ended."""
        progress = self._run.snapshot()
        began_unix = self._unix_time() - progress.elapsed_s
        for second in self._run.seconds(self._next_second):
            self._next_second = second.index + 1
            self._add(
                Portion(
                    time_unix=int(began_unix + second.index),
                    ok=second.ok,
                    failed=second.failed,
                    buckets=tuple(second.buckets),
                    max_us=second.max_us,
                )
            )
        return progress.end == "running"

    def stop(self) -> Any:
        """Ends the run, adds the rest, names the failures; returns the run's result."""
        self._run.stop()
        # Not run.wait(): it would keep every other greenlet waiting.
        while not self._run.wait(0):
            self._sleep(_STOP_POLL_S)
        result = self._run.result()
        counts = result.counts
        kinds = {kind: getattr(counts, kind) for kind in _FAILURES}
        # What was in flight when the user was stopped is nobody's failure, but how long it had
        # waited belongs into the tail.
        cut_off = kinds.pop("unanswered") if result.end == "stopped" else 0
        rest = Counter(dict(result.latency.buckets))
        rest.subtract(self._fed_buckets)
        self._add(
            Portion(
                time_unix=int(self._unix_time()),
                ok=counts.ok + cut_off - self._fed_ok,
                failed=max(0, sum(kinds.values()) - self._fed_failed),
                buckets=tuple(sorted((+rest).items())),
            )
        )
        for text, count in failure_texts(kinds, result.examples):
            self._add_failure_text(text, count)
        return result

    def _add(self, portion: Portion) -> None:
        self._fed_ok += portion.ok
        self._fed_failed += portion.failed
        self._fed_buckets.update(dict(portion.buckets))
        self._add_to_stats(portion)


def bucket_ms(value_us: float) -> float:
    """Two digits, as Locust rounds what is above 100 ms; here from the first microsecond on."""
    return float(f"{value_us / 1000:.2g}")


def failure_texts(
    kinds: dict[str, int], examples: Iterable[tuple[str, int]]
) -> list[tuple[str, int]]:
    """The generator's texts with their counts, and the kinds of whatever has no text."""
    texts = [(text, count) for text, count in examples if count > 0]
    rest = sum(kinds.values()) - sum(count for _text, count in texts)
    if rest > 0:
        found = ", ".join(f"{kind} {count}" for kind, count in kinds.items() if count)
        texts.append((f"without a text of its own; in all: {found}", rest))
    return texts
