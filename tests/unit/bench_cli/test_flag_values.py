"""penstock.bench.flag_values, schedule and settings: what the flags mean."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import cli
from penstock.bench import flag_values as values
from penstock.bench.errors import BenchError
from penstock.bench.schedule import calls_due, make_segments, rate_at
from support.bench_outcomes import settings_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8", 8), ("8s", 8), ("500ms", 0.5), ("2m", 120), ("1.5s", 1.5), ("250us", 250e-6)],
)
def test_duration_is_read(text: str, seconds: float) -> None:
    assert values.parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8001", ("127.0.0.1", 8001)),
        ("host", ("host", 8001)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert values.parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "name", "version", "weight"),
    [("m", "m", "", 1), ("m:0.8", "m", "", 0.8), ("m/2", "m", "2", 1), ("m/2:3", "m", "2", 3)],
)
def test_model_is_read(text: str, name: str, version: str, weight: float) -> None:
    model = values.parse_model(text)
    assert (model.name, model.version, model.weight) == (name, version, weight)


@pytest.mark.parametrize(
    ("text", "shares"),
    [("4", [(4, 1)]), ("1-3", [(1, 1), (2, 1), (3, 1)]), ("1:0.9,8:0.1", [(1, 0.9), (8, 0.1)])],
)
def test_rows_are_read(text: str, shares: list[tuple[int, float]]) -> None:
    assert [(share.rows, share.weight) for share in values.parse_rows(text)] == shares


@pytest.mark.parametrize(
    ("text", "percent", "limit_ms"),
    [
        ("p99=20ms", 99, 20),
        ("p99.9=1s", 99.9, 1000),
        ("p50=0.5ms", 50, 0.5),
        ("p99_9=2ms", 99.9, 2),
    ],
)
def test_slo_is_read(text: str, percent: float, limit_ms: float) -> None:
    slo = values.parse_slo(text)
    assert slo.percent == percent
    assert slo.limit_ms == pytest.approx(limit_ms)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.parse_duration_s, "8 s"),
        (values.parse_duration_s, "-1s"),
        (values.parse_duration_s, "fast"),
        (values.parse_address, "host:0"),
        (values.parse_address, "host:70000"),
        (values.parse_address, "::1:80"),
        (values.parse_address, ""),
        (values.parse_rates, "0"),
        (values.parse_rates, "-5"),
        (values.parse_rates, "nan"),
        (values.parse_rates, "1,,2"),
        (values.parse_rates, "1e12"),
        (values.parse_model, ""),
        (values.parse_model, "m:x"),
        (values.parse_model, "m:0"),
        (values.parse_model, "m/"),
        (values.parse_rows, "0"),
        (values.parse_rows, "8-1"),
        (values.parse_rows, "1:"),
        (values.parse_rows, "a"),
        (values.parse_slo, "99=20ms"),
        (values.parse_slo, "p100=20ms"),
        (values.parse_slo, "p99=0ms"),
        (values.parse_slo, "p0=1ms"),
        (values.parse_shape, "x=1,-1"),
        (values.parse_shape, "1,64"),
        (values.parse_limits, "x=3,1"),
        (values.parse_limits, "x=0,inf"),
        (values.parse_named, "x="),
        (values.parse_count, "0"),
    ],
)
def test_value_bad_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse(text)


@given(st.text(max_size=12))
def test_value_any_text_is_read_or_refused(text: str) -> None:
    for parse in (
        values.parse_duration_s,
        values.parse_address,
        values.parse_rates,
        values.parse_model,
        values.parse_rows,
        values.parse_slo,
        values.parse_shape,
        values.parse_limits,
    ):
        # Anything else that is raised fails the test.
        with contextlib.suppress(argparse.ArgumentTypeError):
            parse(text)


@pytest.mark.parametrize(
    ("profile", "rates", "segments"),
    [
        ("steady", (100,), [(10, 100, 100)]),
        ("soak", (100,), [(10, 100, 100)]),
        ("ramp", (0.5, 100), [(10, 0.5, 100)]),
        ("ramp", (10, 100, 10), [(5, 10, 100), (5, 100, 10)]),
        ("step", (10, 20), [(5, 10, 10), (5, 20, 20)]),
        ("spike", (10, 99), [(4, 10, 10), (2, 99, 99), (4, 10, 10)]),
    ],
)
def test_profile_becomes_segments(
    profile: str, rates: tuple[float, ...], segments: list[tuple[float, float, float]]
) -> None:
    made = make_segments(profile, rates, 10)
    assert made == tuple(pytest.approx(segment) for segment in segments)
    assert sum(segment[0] for segment in made) == pytest.approx(10)


def test_segments_say_calls_and_rates() -> None:
    segments = make_segments("ramp", (10, 30), 4)
    assert calls_due(segments) == 80
    assert [rate_at(segments, time_s) for time_s in (0, 2, 5)] == [10, 20, 0]


@pytest.mark.parametrize(
    ("profile", "rates", "duration_s", "message"),
    [
        ("steady", (1, 2), 8, "steady needs 1 --rate values, got 2"),
        ("ramp", (1,), 8, "ramp needs 2 or more"),
        ("spike", (1, 2, 3), 8, "spike needs 2 --rate values, got 3"),
        ("steady", (0.01,), 8, "raise one of them"),
        ("steady", (1e8,), 100_000, "at most"),
    ],
)
def test_profile_impossible_is_refused(
    profile: str, rates: tuple[float, ...], duration_s: float, message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        make_segments(profile, rates, duration_s)


@pytest.mark.parametrize(
    ("flags", "goal", "concurrency", "duration_s"),
    [
        ([], "closed", 16, 8),
        (["--concurrency", "3"], "closed", 3, 8),
        (["--rate", "5"], "open", 16, 8),
        (["--rate", "5", "--slo", "p99=1s"], "open", 16, 8),
        (["--slo", "p99=1s"], "search", 64, 8),
        (["--rate", "5", "--profile", "soak"], "open", 16, 600),
        (["--rate", "5", "--profile", "soak", "--duration", "20s"], "open", 16, 20),
    ],
)
def test_settings_goal_follows_from_flags(
    flags: list[str], goal: str, concurrency: int, duration_s: float
) -> None:
    settings = settings_of(*flags)
    assert (settings.goal, settings.concurrency) == (goal, concurrency)
    assert settings.duration_s == duration_s


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rate", "5", "--concurrency", "3"], "exclude each other"),
        (["--profile", "ramp"], "needs --rate"),
        (["--duration", "0s"], "--duration: above 0"),
        (["--no-check", "--expect", "y=1"], "contradict"),
        (["--model", "m"], "given twice"),
    ],
)
def test_settings_that_contradict_exit_with_2_and_one_line(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "127.0.0.1:1", "--model", "m", *flags]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"penstock: error: .*{message}.*\n", printed.err), printed.err


@pytest.mark.parametrize("flags", [[], ["--model", "m", "--rate", "0"], ["--model", "m", "--x"]])
def test_wrong_usage_exits_with_2(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", "127.0.0.1:1", *flags])
    assert caught.value.code == 2
