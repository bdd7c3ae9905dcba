"""What the benchmark reads from the system and from a server's log."""

from __future__ import annotations

import pytest

from bench import machine, server_process, start_time

_STAT = "cpu  9 9 9 9\ncpu0 100 1 20 5000 30 4 5 6 0 0\ncpu1 1 0 1 1 0 0 0 0 0 0\nintr 5\n"


def test_busy_from_stat_leaves_out_idle_and_waiting() -> None:
    assert server_process.busy_from_stat(_STAT, 0, 100) == pytest.approx(1.36)


def test_busy_from_stat_unknown_core_raises() -> None:
    with pytest.raises(KeyError, match="cpu7"):
        server_process.busy_from_stat(_STAT, 7, 100)


def test_parent_from_stat_survives_brackets_in_the_name() -> None:
    assert server_process.parent_from_stat("12 (a) S 1 (b)) S 34 12 12 0") == 34


def test_processor_name_finds_the_model() -> None:
    assert machine.processor_name("processor : 0\nmodel name\t: Fast One\n") == "Fast One"


def test_processor_name_without_any_is_unknown() -> None:
    assert machine.processor_name("") == "unknown"


@pytest.mark.parametrize(
    "log",
    [
        '{"message":"model ready","session_ms":"12.5","warmup_ms":"7.5"}\n',
        '{"session_ms": 12.5}\n{"warmup_ms": 7.5}\n',
        "I model ready model=mlp session_ms=12.5 warmup_ms=7.5\n",
        '{"session_ms":"10","warmup_ms":"5"}\n{"session_ms":"2.5","warmup_ms":"2.5"}\n',
    ],
)
def test_model_seconds_adds_both_durations_of_all_models(log: str) -> None:
    assert start_time.model_seconds(log) == pytest.approx(0.020)


@pytest.mark.parametrize("log", ["", "session_ms=3", "other_session_ms=3 warmup_ms=2"])
def test_model_seconds_without_durations_raises(log: str) -> None:
    with pytest.raises(start_time.NoDurationsError):
        start_time.model_seconds(log)


def test_pinned_keeps_the_command_last() -> None:
    assert server_process.pinned(["serve", "-x"], 1) == [
        "taskset",
        "--cpu-list",
        "1",
        "serve",
        "-x",
    ]
