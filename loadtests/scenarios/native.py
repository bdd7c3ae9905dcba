"""The C++ generator steered by Locust: rates that Python cannot reach. A user is a generator.

python -m loadtests.run native --host 127.0.0.1:8001 -u 1 --native-rate 50000 --p99-ms 5
"""

from locust import events

from loadtests import rules
from loadtests.native_user import NativeUser, add_native_options
from loadtests.scenario import Scenario
from loadtests.schedule import constant
from loadtests.shapes import ScheduledShape

SCENARIO = Scenario(
    schedule=constant(users=1, duration_s=60),
    rate=1000,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.percentile_at_most(99, limits.p99_ms),
        rules.rate_at_least(limits.rate, limits.duration_s),
    ),
)
SCENARIO.attach(events)
events.init_command_line_parser.add_listener(add_native_options)


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Generator(NativeUser):
    scenario = SCENARIO
