"""Constant load: no failure, p99 within --p99-ms, at least --rate requests a second.

python -m loadtests.run steady --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller

SCENARIO = Scenario(
    schedule=STEADY,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.percentile_at_most(99, limits.p99_ms),
        rules.rate_at_least(limits.rate, limits.duration_s),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(DigitsCaller):
    scenario = SCENARIO
