"""Ten times the users for a while: nothing fails, and afterwards all is as it was before.

python -m loadtests.run spike --host 127.0.0.1:8001
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import SPIKE
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller

SCENARIO = Scenario(
    schedule=SPIKE,
    tag_stages=True,
    p99_ms=500,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.requests_at_least(1, "[spike]"),
        rules.percentile_at_most(99, limits.p99_ms, "[spike]"),
        # The slack is for the second in which Locust takes the users away again.
        rules.percentile_grows_at_most(
            50, 2, before="[before]", after="[after]", slack_ms=limits.p99_ms / 10
        ),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(DigitsCaller):
    scenario = SCENARIO
