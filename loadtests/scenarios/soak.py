"""Constant load for an hour or a night: the last part is as fast as an early one, nothing fails.

python -m loadtests.run soak --host 127.0.0.1:8001 -t 8h
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import SOAK
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller

SCENARIO = Scenario(
    schedule=SOAK,
    tag_stages=True,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.rate_at_least(limits.rate, limits.duration_s),
        rules.percentile_at_most(99, limits.p99_ms, "[late]"),
        rules.percentile_grows_at_most(
            50, 1.5, before="[early]", after="[late]", slack_ms=limits.p99_ms / 20
        ),
        rules.percentile_grows_at_most(
            99, 2, before="[early]", after="[late]", slack_ms=limits.p99_ms / 4
        ),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(DigitsCaller):
    scenario = SCENARIO
