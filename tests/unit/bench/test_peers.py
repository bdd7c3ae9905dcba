"""The peers' report and the generator's verdicts, on made-up figures."""

from __future__ import annotations

import pytest

from bench import load_generator
from bench.load_generator import LoadToolError
from bench.peers import report
from bench.peers.__main__ import find_peers
from bench.peers.generator import Measured
from bench.peers.report import PeerRounds


def measured(rate: float, cpu_us: float, *, failed: int = 0, foreign: float = 0.0) -> Measured:
    return Measured(
        offered_rate=rate,
        rate=rate,
        cpu_us_per_request=cpu_us,
        p50_ms=1.0,
        p99_ms=2.0,
        failed=failed,
        failures={"INTERNAL: x": failed} if failed else {},
        schedule_error_p99_us=3.0,
        generator_busy=0.5,
        foreign_share=foreign,
    )


def peer(*closed: Measured) -> PeerRounds:
    return PeerRounds(title="A server", version="1.2", settings=("x on",), closed=list(closed))


def test_every_peer_of_the_issue_is_found_ours_first() -> None:
    names = list(find_peers([]))
    assert names[0] == "penstock"
    assert set(names) >= {"triton", "aio_ort", "mlserver"}


def test_unknown_peer_is_refused() -> None:
    with pytest.raises(SystemExit, match="unknown peer: nobody"):
        find_peers(["nobody"])


def test_report_has_ratios_of_neighbouring_rounds_settings_and_what_is_missing() -> None:
    peers = {
        "penstock": peer(measured(100, 2), measured(100, 4)),
        "other": peer(measured(10, 20), measured(12, 80)),
    }
    text = report.markdown("a machine", peers, {"third": "does not install"}, "a method")
    assert "| other | 11 (10 to 12) | 50.00 (20.00 to 80.00) | 1.00 | 2.00 | 15.0x | 0 |" in text
    assert "- **other** (A server 1.2): x on" in text
    assert "- **third**: does not install" in text
    assert "NOT QUIET" not in text


def test_report_of_a_busy_machine_says_so() -> None:
    text = report.markdown("", {"penstock": peer(measured(100, 2, foreign=0.3))}, {}, "")
    assert "NOT QUIET: others used 30%" in text


def test_report_counts_failed_calls() -> None:
    assert report.failed_calls({"a": peer(measured(1, 1, failed=2), measured(1, 1))}) == 2


def rounds(
    closed: float, h2load: float, locust: float, error_us: float
) -> dict[str, list[dict[str, float]]]:
    return {
        "locust": [{"rate": locust}],
        "h2load": [{"rate": h2load}],
        "closed": [{"rate": closed}],
        "open_full": [{"rate": 150_100}],
        "open_half": [{"rate": 75_000, "schedule_error_p99_us": error_us}],
    }


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        (rounds(200_000, 210_000, 6_000, 20), [True, True, True, True]),
        (rounds(100_000, 210_000, 6_000, 51), [True, False, False, False]),
    ],
)
def test_load_generator_is_judged_by_each_target(
    figures: dict[str, list[dict[str, float]]], passed: list[bool]
) -> None:
    assert [each["passed"] for each in load_generator.judge(figures)] == passed


def test_h2load_rate_is_read_and_failures_refused() -> None:
    output = (
        "finished in 2.00s, 94632.50 req/s, 20.61MB/s\n"
        "requests: 1 total, 1 started, 1 done, 1 succeeded, {} failed, 0 errored, 0 timeout\n"
    )
    assert load_generator.h2load_rate(output.format(0)) == 94632.5
    with pytest.raises(LoadToolError):
        load_generator.h2load_rate(output.format(1))
    with pytest.raises(LoadToolError):
        load_generator.h2load_rate("h2load: connection refused")
