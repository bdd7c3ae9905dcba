"""The native generator's counts on their way into Locust: nothing lost, nothing twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loadtests import native_feed
from loadtests.native_feed import Feed, Portion


class FakeRun:
    """A run whose seconds and result a test sets."""

    def __init__(self, seconds: list[Any], result: Any) -> None:
        self.all_seconds = seconds
        self.end = "running"
        self._result = result
        self._waits = 0

    def snapshot(self) -> Any:
        return SimpleNamespace(end=self.end, elapsed_s=float(len(self.all_seconds)))

    def seconds(self, first: int = 0) -> list[Any]:
        return self.all_seconds[first:]

    def stop(self) -> None:
        self.end = self._result.end

    def wait(self, timeout_s: float) -> bool:
        assert timeout_s == 0, "a wait would block the other greenlets"
        self._waits += 1
        return self._waits > 2

    def result(self) -> Any:
        return self._result


def second(index: int, ok: int, failed: int, buckets: list[tuple[float, int]]) -> Any:
    return SimpleNamespace(index=index, ok=ok, failed=failed, buckets=buckets, max_us=500.0)


KINDS = ("wrong", "shed", "deadline_missed", "errors", "transport_errors", "generator_limited")


def result(
    end: str,
    ok: int,
    buckets: list[tuple[float, int]],
    *examples: tuple[str, int],
    **kinds: int,
) -> Any:
    zeros = dict.fromkeys((*KINDS, "unanswered"), 0)
    return SimpleNamespace(
        end=end,
        counts=SimpleNamespace(ok=ok, **{**zeros, **kinds}),
        latency=SimpleNamespace(buckets=buckets),
        examples=list(examples),
    )


def feed_of(run: FakeRun) -> tuple[Feed, list[Portion], dict[str, int]]:
    portions: list[Portion] = []
    texts: dict[str, int] = {}
    feed = Feed(
        run,
        add=portions.append,
        add_failure_text=texts.__setitem__,
        sleep=lambda _seconds: None,
        unix_time=lambda: 1000.0,
    )
    return feed, portions, texts


def test_feed_adds_every_second_once_and_then_the_rest() -> None:
    seconds = [second(0, 5, 0, [(100.0, 5)]), second(1, 6, 1, [(100.0, 4), (200.0, 3)])]
    run = FakeRun(
        seconds, result("stopped", 13, [(100.0, 10), (200.0, 4)], ("INTERNAL: x", 1), errors=1)
    )
    feed, portions, texts = feed_of(run)
    assert feed.poll()
    assert feed.poll()
    feed.stop()
    assert [(each.ok, each.failed) for each in portions] == [(5, 0), (6, 1), (2, 0)]
    assert [each.time_unix for each in portions] == [998, 999, 1000]
    assert portions[-1].buckets == ((100.0, 1), (200.0, 1))
    assert texts == {"INTERNAL: x": 1}


def test_feed_stopped_keeps_the_waiting_of_what_was_in_flight() -> None:
    run = FakeRun([], result("stopped", 1, [(100.0, 1), (9e6, 2)], unanswered=2))
    feed, portions, texts = feed_of(run)
    feed.stop()
    assert [(each.ok, each.failed) for each in portions] == [(3, 0)]
    assert portions[0].buckets == ((100.0, 1), (9e6, 2))
    assert not texts


def test_feed_stalled_run_counts_the_unanswered_as_failed() -> None:
    run = FakeRun([], result("stalled", 1, [(100.0, 1), (9e6, 2)], unanswered=2))
    feed, portions, texts = feed_of(run)
    feed.stop()
    assert [(each.ok, each.failed) for each in portions] == [(1, 2)]
    assert sum(texts.values()) == 2


@pytest.mark.parametrize(
    ("value_us", "expected_ms"), [(0.9, 0.0009), (123, 0.12), (99_400, 99), (1_466_000, 1500)]
)
def test_bucket_ms_keeps_two_digits(value_us: float, expected_ms: float) -> None:
    assert native_feed.bucket_ms(value_us) == expected_ms


def test_failure_texts_name_what_has_no_text() -> None:
    texts = native_feed.failure_texts({"wrong": 3, "shed": 2, "errors": 0}, [("wrong: y", 3)])
    assert texts == [("wrong: y", 3), ("without a text of its own; in all: wrong 3, shed 2", 2)]
