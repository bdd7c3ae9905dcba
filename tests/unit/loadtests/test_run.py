"""The command line of `python -m loadtests.run`, without running anything."""

from __future__ import annotations

import pytest

from loadtests import run


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("20m", 1200), ("1h30m", 5400), ("1h2m3s", 3723)]
)
def test_duration_reads_what_locust_reads(text: str, seconds: float) -> None:
    assert run.duration_s_of("steady", text) == seconds


@pytest.mark.parametrize("text", ["", "fast", "1.5s", "10s5m", "-3"])
def test_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected for example"):
        run.duration_s_of("steady", text)


def test_duration_not_given_is_the_scenarios_own() -> None:
    assert run.duration_s_of("soak", None) == 3600


def test_scenario_names_are_those_of_the_issue() -> None:
    assert set(run.scenario_names()) >= {
        *("steady", "ramp", "spike", "soak", "mixed_models", "slow_consumers", "cancel_storm"),
        *("large_tensors", "reconnect_storm", "scalability", "native"),
    }


def test_locust_command_is_headless_unless_web() -> None:
    assert "--headless" in run.locust_command("steady", 3, web=False, others=[])
    assert "--headless" not in run.locust_command("steady", 3, web=True, others=[])
    assert run.locust_command("steady", 3, web=False, others=["-u", "7"])[-2:] == ["-u", "7"]


def test_unknown_scenario_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as exit_info:
        run.main(["no_such_thing"])
    assert exit_info.value.code == 2
