"""Most calls are cancelled a moment after they left; the others are answered as ever.

python -m loadtests.run cancel_storm --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import CancellingCaller, DigitsCaller

SCENARIO = Scenario(
    schedule=STEADY,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.requests_at_least(10, "cancelled"),
        rules.failures_at_most(0, "ModelInfer 1 row"),
        rules.percentile_at_most(99, limits.p99_ms, "ModelInfer 1 row"),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Canceller(CancellingCaller):
    scenario = SCENARIO


class Caller(DigitsCaller):
    scenario = SCENARIO
