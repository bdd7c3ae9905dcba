"""Several models in any order on the same connections: each answers, none disturbs another.

penstock serve examples/digits/digits.onnx other.onnx &
python -m loadtests.run mixed_models --host 127.0.0.1:8001 --models digits,other
"""

from typing import Any

from locust import events

from loadtests import rules
from loadtests.scenario import Scenario
from loadtests.schedule import STEADY
from loadtests.shapes import ScheduledShape
from loadtests.users import MixedCaller

SCENARIO = Scenario(
    schedule=STEADY,
    rules=lambda limits: (
        rules.failures_at_most(0),
        rules.percentile_at_most(99, limits.p99_ms),
        *(rules.requests_at_least(1, f"ModelInfer {model}") for model in limits.models),
    ),
)
SCENARIO.attach(events)


@events.init_command_line_parser.add_listener
def add_models_option(parser: Any, **_arguments: Any) -> None:
    parser.add_argument("--models", default="digits", help="names of models, with commas between")


class Shape(ScheduledShape):
    schedule = SCENARIO.schedule


class Caller(MixedCaller):
    scenario = SCENARIO
