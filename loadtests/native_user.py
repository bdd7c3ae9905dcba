"""NativeUser: the C++ generator inside a Locust worker, for rates that Python cannot reach.

One user is one generator with a thread of its own. A greenlet looks in four times a second and adds
what every whole second has brought to Locust's statistics, as histogram buckets and not as an event
for each request; so the web UI, reports and distributed mode show it like any other user.
"""

from __future__ import annotations

import logging
import time
from typing import Any, ClassVar

import gevent
from locust import User, task
from locust.stats import StatsEntry, StatsError
from penstock._core import Error, LoadOptions, LoadPayload, LoadRun
from penstock_client.wire import encode_request

from loadtests.locustfile import DEFAULT_ADDRESS, IMAGES
from loadtests.native_feed import Feed, Portion, bucket_ms
from loadtests.scenario import Scenario

logger = logging.getLogger(__name__)

INFER_PATH = "/inference.GRPCInferenceService/ModelInfer"
_POLL_S = 0.25
_RETRY_S = 1.0
# Longer than any test: the user's life ends the run.
_FOREVER_S = 7 * 24 * 3600.0


class NativeUser(User):
    """A scenario derives from it; the command line says how hard each user works.

    --native-rate N: open loop, Poisson, latency from the time a call was due. 0: closed loop with
    --native-concurrency callers, as fast as the server answers.
    """

    abstract = True
    scenario: ClassVar[Scenario]
    what: ClassVar[str] = "ModelInfer, native"

    def on_start(self) -> None:
        self.feed: Feed | None = None

    def on_stop(self) -> None:
        if self.feed is None:
            return
        result = self.feed.stop()
        logger.info(
            "generator: %d calls, p99 schedule error %.0f us, busy %.0f %%",
            result.counts.offered,
            result.schedule_error.percentile_us(99),
            100 * result.busy_share,
        )

    def payloads(self) -> list[LoadPayload]:
        """All held-out digits; each answer must be the one that the same scan got first."""
        messages = [encode_request("digits", {"image": image[None]}) for image in IMAGES]
        return [LoadPayload(path=INFER_PATH, messages=messages)]

    @task
    def generate(self) -> None:
        """Runs until Locust stops the user; begins again where the server was lost."""
        try:
            run = LoadRun.create(self.options())
        except Error as error:  # an address that cannot be
            self._count_failure(str(error))
            gevent.sleep(_RETRY_S)
            return
        self.feed = Feed(
            run,
            add=self._add_portion,
            add_failure_text=self._add_failure_text,
            sleep=gevent.sleep,
            unix_time=time.time,
        )
        run.start()
        while self.feed.poll():
            gevent.sleep(_POLL_S)
        result = self.feed.stop()
        self.feed = None
        logger.error("the generator ended: %s", result.failure)
        self._count_failure(result.failure or "the generator ended")
        gevent.sleep(_RETRY_S)

    def options(self) -> LoadOptions:
        """From the command line."""
        given = self.environment.parsed_options
        host, _, port = (self.host or DEFAULT_ADDRESS).removeprefix("grpc://").rpartition(":")
        common = {
            "payloads": self.payloads(),
            "host": host,
            "port": int(port),
            "connections": given.native_connections,
            "keep_second_buckets": True,
            "connect_timeout_s": 2.0,
            "drain_timeout_s": 2.0,
            "seed": time.time_ns() % 2**32,  # users must not send at the same moments
        }
        if given.native_rate > 0:
            segments = [(_FOREVER_S, given.native_rate, given.native_rate)]
            return LoadOptions(mode="open", segments=segments, **common)
        return LoadOptions(
            mode="closed",
            concurrency=given.native_concurrency,
            duration_s=_FOREVER_S,
            **common,
        )

    def _add_portion(self, portion: Portion) -> None:
        add_portion(self.environment.stats, self._name(), portion)

    def _add_failure_text(self, text: str, count: int) -> None:
        add_error(self.environment.stats, self._name(), text, count)

    def _name(self) -> str:
        return self.scenario.name(self.what, self.environment)

    def _count_failure(self, text: str) -> None:
        self.environment.events.request.fire(
            request_type="native",
            name=self.what,
            response_time=0,
            response_length=0,
            exception=RuntimeError(text),
            context={},
        )


def add_native_options(parser: Any, **_arguments: Any) -> None:
    """For `events.init_command_line_parser`; master and workers need the same."""
    parser.add_argument(
        "--native-rate", type=float, default=0.0, help="requests/s of each user; 0: closed loop"
    )
    parser.add_argument(
        "--native-concurrency", type=int, default=64, help="closed loop: calls in flight of a user"
    )
    parser.add_argument(
        "--native-connections", type=int, default=4, help="connections of each user"
    )


def add_portion(stats: Any, name: str, portion: Portion) -> None:
    """Adds it to the entry of that name and to the total. No events are fired."""
    if portion.ok + portion.failed == 0:
        return
    stats.total.extend(entry_of(stats, name, portion))
    stats.entries[(name, "native")].extend(entry_of(stats, name, portion))


def entry_of(stats: Any, name: str, portion: Portion) -> StatsEntry:
    """The portion as Locust keeps it: times in ms, failures among the requests."""
    entry = StatsEntry(stats, name, "native")
    count = portion.ok + portion.failed
    timed = 0
    for value_us, bucket_count in portion.buckets:
        entry.response_times[bucket_ms(value_us)] += bucket_count
        entry.total_response_time += value_us / 1000 * bucket_count
        timed += bucket_count
    entry.num_requests = count
    # Refused ones have no time; Locust leaves such requests out of its percentiles.
    entry.num_none_requests = max(0, count - timed)
    entry.num_failures = portion.failed
    if portion.buckets:
        values_us = [value for value, _count in portion.buckets]
        entry.min_response_time = min(values_us) / 1000
        entry.max_response_time = max(portion.max_us, *values_us, 0.0) / 1000
    entry.num_reqs_per_sec[portion.time_unix] = count
    if portion.failed:
        entry.num_fail_per_sec[portion.time_unix] = portion.failed
    entry.start_time = float(portion.time_unix)
    entry.last_request_timestamp = float(portion.time_unix)
    return entry


def add_error(stats: Any, name: str, text: str, count: int) -> None:
    """A line of Locust's table of failures; the counting was done with the portions."""
    key = StatsError.create_key("native", name, text)
    error = stats.errors.setdefault(key, StatsError("native", name, text))
    error.occurred()
    error.occurrences += count - 1
