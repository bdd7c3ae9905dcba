"""The load: several callers at once, each with a model, an address and a rate of its own.

One run of the native generator in this process, on the generator's core; every answer is compared
with ONNX Runtime's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from penstock._core import LoadOptions, LoadPayload, LoadPayloadResult, LoadResult, LoadRun

from bench import messages as protocol
from bench.overload.setting import Setting
from bench.reference import Reference

_MESSAGES = 16  # different requests
_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends what. Its part of a run's rate is its `rate` of the sum of all."""

    model: str
    rate: float  # calls a second
    source: str = ""  # an address of this machine
    deadline_ms: int = 0  # 0: none


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Serialized requests of one row each, and what each must be answered."""

    requests: tuple[bytes, ...]
    answers: tuple[bytes, ...]


def make_bodies(
    model: Path,
    *,
    name: str,
    row: Sequence[int],
    out: Path,
    count: int = _MESSAGES,
    version: str = "1",
) -> Bodies:
    """For a model x FP32 [N, *row] -> y FP32 [N, any], served as `name`."""
    messages = protocol.load(protocol.compile_descriptors(out / "descriptors.bin"))
    reference = Reference(model)
    random = np.random.default_rng(7)
    requests, answers = [], []
    for _ in range(count):
        x = random.standard_normal((1, *row), dtype=np.float32)
        answer = reference.run(x)
        request = protocol.infer_request(
            messages, model=name, tensor="x", shape=x.shape, raw=x.tobytes()
        )
        response = protocol.infer_response(
            messages,
            model=name,
            version=version,
            tensor="y",
            shape=answer.shape,
            raw=answer.tobytes(),
        )
        requests.append(request.SerializeToString())
        answers.append(response.SerializeToString())
    return Bodies(requests=tuple(requests), answers=tuple(answers))


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Threads started inside stay on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_mix(
    setting: Setting,
    callers: Sequence[Caller],
    bodies: dict[str, Bodies],
    *,
    seed: int,
    connections: int = 2,
    standing: bool = False,
) -> list[LoadPayloadResult]:
    """What became of each caller's calls over `duration_s`. Raises where an answer was wrong.

    `standing`: for queues of seconds. There is no warm-up, and what is unanswered at the end stays
    so: it would else be counted into a time in which it did not run.
    """
    payloads = [
        _payload(
            bodies[caller.model],
            weight=caller.rate,
            source=caller.source,
            timeout_us=caller.deadline_ms * 1000,
        )
        for caller in callers
    ]
    rate = sum(caller.rate for caller in callers)
    result = _run(
        setting,
        LoadOptions(
            payloads=payloads,
            port=setting.port,
            connections=connections,
            mode="open",
            segments=[(setting.duration_s, rate, rate)],
            warmup_s=0.0 if standing else 1.0,
            drain_timeout_s=0.0 if standing else 10.0,
            seed=seed,
        ),
    )
    return list(result.payloads)


def run_closed(
    setting: Setting, bodies: Bodies, *, connections: int, concurrency: int, warmup_s: float = 0.0
) -> LoadResult:
    """Callers that wait for their answers, for `duration_s`."""
    return _run(
        setting,
        LoadOptions(
            payloads=[_payload(bodies)],
            port=setting.port,
            connections=connections,
            mode="closed",
            concurrency=concurrency,
            duration_s=setting.duration_s,
            warmup_s=warmup_s,
        ),
    )


def _payload(bodies: Bodies, **more: Any) -> LoadPayload:
    return LoadPayload(
        path=protocol.INFER_PATH, messages=bodies.requests, expected=bodies.answers, **more
    )


def _run(setting: Setting, options: LoadOptions) -> LoadResult:
    with on_core(setting.core):
        run = LoadRun.create(options)
        run.start()
        while not run.wait(_WAIT_S):
            pass
    result = run.result()
    if result.end != "finished" or result.counts.wrong:
        raise RuntimeError(f"the run ended: {result.failure or result.examples}")
    if result.counts.generator_limited or result.connections_lost:
        raise RuntimeError(f"calls were lost: {result.examples}")
    return result
