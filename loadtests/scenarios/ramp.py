"""More and more users up to the target, then held: the target must be reached and kept.

python -m loadtests.run ramp --host 127.0.0.1:8001 -u 50 --rate 2000 --p99-ms 50
"""

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import RAMP
from loadtests.shapes import ScheduledShape
from loadtests.users import DigitsCaller

TARGET_SHARE = RAMP.stages[-1].duration_share

SCENARIO = Scenario(
    schedule=RAMP,
    tag_stages=True,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.rate_at_least(limits.rate, limits.duration_s * TARGET_SHARE, "[target]"),
        rules.percentile_at_most(99, limits.p99_ms, "[target]"),
    ),
)
SCENARIO.attach(events)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(DigitsCaller):
    scenario = SCENARIO
