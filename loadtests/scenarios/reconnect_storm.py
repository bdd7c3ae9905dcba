"""A new connection for every request, from all users at once: each is taken and answered.

python -m loadtests.run reconnect_storm --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import ReconnectingCaller

SCENARIO = Scenario(
    schedule=STEADY,
    p99_ms=500,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.percentile_at_most(99, limits.p99_ms),
        rules.rate_at_least(limits.rate, limits.duration_s),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(ReconnectingCaller):
    scenario = SCENARIO
