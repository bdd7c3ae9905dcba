"""String tensors in our Python client against tritonclient's: CPU time to pack and to unpack.

Usage: python -m bench.client_bytes [--strings 1000] [--length-max 40] [--rounds 31]
Ours is all that a caller waits for: the whole serialized request, and the response's bytes to its
arrays. Theirs is the codec alone, on the arrays that it is quickest with, without its request and
its response. The two take turns in every round, and every answer is compared: the same bytes, the
same elements. Prints medians and the median of the rounds' ratios, and exits with 1 where one is
below 10.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from penstock_client._messages import ModelInferRequest, ModelInferResponse
from penstock_client.wire import decode_response, encode_request
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

RATIO_MIN = 10.0
_SEED = 20261121
_REPEATS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The same work twice; both must give what `same` makes equal."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    same: Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    ours_us: float
    theirs_us: float
    ratio: float  # the median of the rounds' own


def races(count: int, length_max: int) -> list[Race]:
    generator = random.Random(_SEED)
    lengths = [generator.randint(0, length_max) for _ in range(count)]
    raw = np.array([generator.randbytes(length) for length in lengths], dtype=object)
    text = np.array(["".join(generator.choices("abcdefgh", k=n)) for n in lengths], dtype=object)
    packed = serialize_byte_tensor(raw).item()
    response = ModelInferResponse(model_name="texts")
    response.outputs.add(name="x", datatype="BYTES", shape=[count])
    response.raw_output_contents.append(packed)
    received = response.SerializeToString()

    def same_bytes(ours: bytes, theirs: Any) -> bool:
        return bool(ModelInferRequest.FromString(ours).raw_input_contents[0] == theirs.item())

    return [
        Race(
            name="pack bytes",
            ours=lambda: encode_request("texts", {"x": raw}),
            theirs=lambda: serialize_byte_tensor(raw),
            same=same_bytes,
        ),
        Race(
            name="pack str",
            ours=lambda: encode_request("texts", {"x": text}),
            theirs=lambda: serialize_byte_tensor(text),
            same=same_bytes,
        ),
        Race(
            name="unpack",
            ours=lambda: decode_response(received)["x"],
            theirs=lambda: deserialize_bytes_tensor(packed),
            same=lambda ours, theirs: ours.tolist() == theirs.tolist() == raw.tolist(),
        ),
    ]


def run(race: Race, rounds: int) -> Outcome:
    """Raises ValueError where the two do not agree."""
    pairs = []
    for _ in range(rounds):
        ours_us, ours = _timed(race.ours)
        theirs_us, theirs = _timed(race.theirs)
        if not race.same(ours, theirs):
            raise ValueError(f"{race.name}: the two do not agree")
        pairs.append((ours_us, theirs_us))
    return Outcome(
        ours_us=statistics.median(ours for ours, _ in pairs),
        theirs_us=statistics.median(theirs for _, theirs in pairs),
        ratio=statistics.median(theirs / ours for ours, theirs in pairs),
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Microseconds of the thread's CPU for one piece of work, and its answer."""
    started_ns = time.thread_time_ns()
    for _ in range(_REPEATS):
        answer = work()
    return (time.thread_time_ns() - started_ns) / 1e3 / _REPEATS, answer


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strings", type=int, default=1000)
    parser.add_argument("--length-max", type=int, default=40, help="lengths are from 0 to this")
    parser.add_argument("--rounds", type=int, default=31)
    given = parser.parse_args(arguments)
    good = True
    for race in races(given.strings, given.length_max):
        outcome = run(race, given.rounds)
        met = outcome.ratio >= RATIO_MIN
        good = good and met
        print(
            f"{given.strings} strings, {race.name}: {outcome.ours_us:.1f} us, tritonclient "
            f"{outcome.theirs_us:.1f} us, {outcome.ratio:.1f}x "
            f"(target {RATIO_MIN:.0f}x: {'pass' if met else 'MISSED'})"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
