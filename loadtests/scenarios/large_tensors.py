"""Requests of a quarter of a megabyte among small ones: both are answered, in time.

python -m loadtests.run large_tensors --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller, LargeCaller

SCENARIO = Scenario(
    schedule=STEADY,
    p99_ms=500,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.requests_at_least(1, f"{LargeCaller.rows} rows"),
        rules.percentile_at_most(99, limits.p99_ms),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Large(LargeCaller):
    scenario = SCENARIO


class Caller(DigitsCaller):
    scenario = SCENARIO
