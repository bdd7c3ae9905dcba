"""Clients that read their answers a few bytes at a time: they get them, and nobody else waits.

python -m loadtests.run slow_consumers --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller, SlowReader

SCENARIO = Scenario(
    schedule=STEADY,
    rules=lambda limits: (
        rules.failures_at_most(0, "read slowly"),
        rules.failures_at_most(0, "ModelInfer 1 row"),
        rules.percentile_at_most(99, limits.p99_ms, "ModelInfer 1 row"),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Slow(SlowReader):
    scenario = SCENARIO


class Caller(DigitsCaller):
    scenario = SCENARIO
