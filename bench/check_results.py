"""Are the server's results ONNX Runtime's, bit by bit, at the batch size that really ran?

Usage: python -m bench.check_results [--requests 20000] [--host PROGRAM | --address HOST:PORT]
Starts our server with --report-batch-size, so that each response names the batch that it ran in
(`penstock_batch_size`, and `penstock_batch_row` where the server tells it), sends requests of one
to three rows from many callers at once and recomputes every row with ONNX Runtime's Python API at
that size. The neighbours of a row are not known afterwards; that they do not matter, and whether
the position does, is shown first for every size that occurred. Exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from bench import messages as protocol
from bench.contenders import Paths, all_contenders
from bench.reference import Reference
from bench.server_process import running
from bench.workload import INPUT_NAME, MODEL_NAME, FloatArray, Workload, prepare

_POOL_ROWS = 256
_SEED = 3
_CHANNELS = 4
_CALLERS = 96
_ACROSS_SIZES = 1e-5  # of the largest magnitude


class ResultError(RuntimeError):
    """A result differs, or the run could not show what it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One response: which rows of the pool it answers and where they ran."""

    rows: tuple[int, ...]
    batch_size: int
    batch_row: int | None
    output: FloatArray


def check_neighbours(reference: Reference, pool: FloatArray, size: int) -> bool:
    """Shows that a row's result at a batch size does not depend on the rows beside it.

    Returns whether it does not depend on its position either. Raises if the first is not so.
    """
    random = np.random.default_rng(size)
    row = pool[0]
    by_position = set()
    for position in range(size):
        results = set()
        for _ in range(3):
            batch = random.standard_normal((size, pool.shape[1]), dtype=np.float32)
            batch[position] = row
            results.add(reference.run(batch)[position].tobytes())
        if len(results) != 1:
            raise ResultError(f"at batch size {size} a row's result depends on its neighbours")
        by_position |= results
    return len(by_position) == 1


def expected_rows(
    reference: Reference, pool: FloatArray, size: int, position: int | None
) -> list[bytes]:
    """Each pool row's result at a batch size, at one position or (None) wherever it falls."""
    if position is not None:
        batch = pool[:size].copy() if size <= len(pool) else np.resize(pool, (size, pool.shape[1]))
        results = []
        for row in pool:
            batch[position] = row
            results.append(reference.run(batch)[position].tobytes())
        return results
    outputs = []
    for begin in range(0, len(pool), size):
        batch = np.resize(pool[begin:], (size, pool.shape[1]))
        outputs += [each.tobytes() for each in reference.run(batch)]
    return outputs[: len(pool)]


class Expectation:
    """What ONNX Runtime gives for any pool row, batch size and position; computed once each."""

    def __init__(self, reference: Reference, pool: FloatArray) -> None:
        self._reference = reference
        self._pool = pool
        self._position_matters: dict[int, bool] = {}
        self._results: dict[tuple[int, int | None], list[bytes]] = {}

    def possible(self, row: int, size: int, position: int | None) -> set[bytes]:
        """The bits that a row may give: one possibility, unless its position is not known."""
        if size not in self._position_matters:
            independent = check_neighbours(self._reference, self._pool, size)
            self._position_matters[size] = not independent
        if not self._position_matters[size]:
            return {self._at(size, None)[row]}
        if position is not None:
            return {self._at(size, position)[row]}
        return {self._at(size, each)[row] for each in range(size)}

    def sizes_where_position_matters(self) -> list[int]:
        """For the report."""
        return sorted(size for size, matters in self._position_matters.items() if matters)

    def _at(self, size: int, position: int | None) -> list[bytes]:
        key = (size, position)
        if key not in self._results:
            self._results[key] = expected_rows(self._reference, self._pool, size, position)
        return self._results[key]


def verify(observed: Sequence[Observed], reference: Reference, pool: FloatArray) -> list[str]:
    """Compares everything; returns what was shown, raises ResultError at the first difference."""
    expectation = Expectation(reference, pool)
    alone = np.concatenate([reference.run(row[None, :]) for row in pool])
    largest = float(np.abs(alone).max())
    furthest = 0.0
    sizes: collections.Counter[int] = collections.Counter()
    for each in observed:
        sizes[each.batch_size] += 1
        for offset, row in enumerate(each.rows):
            position = None if each.batch_row is None else each.batch_row + offset
            bits = each.output[offset].tobytes()
            if bits not in expectation.possible(row, each.batch_size, position):
                raise ResultError(
                    f"pool row {row} in a batch of {each.batch_size} at {position}: "
                    f"{each.output[offset]} is not what ONNX Runtime gives"
                )
            furthest = max(furthest, float(np.abs(each.output[offset] - alone[row]).max()))
    if furthest > _ACROSS_SIZES * largest:
        raise ResultError(f"across batch sizes results differ by {furthest / largest:.2e}")
    if len(sizes) < 3 or max(sizes) < 8:
        raise ResultError(f"too few batch sizes ran to show anything: {dict(sizes)}")
    return [
        f"{len(observed)} responses bit-equal, at {len(sizes)} batch sizes up to {max(sizes)}",
        f"responses by batch size: {dict(sorted(sizes.items()))}",
        (
            f"batch sizes at which a row's position matters: "
            f"{expectation.sizes_where_position_matters() or 'none'}"
        ),
        f"across batch sizes: {furthest / largest:.2e} of max abs at most",
    ]


async def collect(
    address: str, messages: protocol.Messages, pool: FloatArray, requests: int
) -> list[Observed]:
    """Sends the requests from many callers at once; any error ends it."""
    observed: list[Observed] = []
    random = np.random.default_rng(_SEED)
    plans = iter(
        [tuple(random.integers(0, len(pool), random.integers(1, 4))) for _ in range(requests)]
    )

    async def caller(channel: grpc.aio.Channel) -> None:
        infer = channel.unary_unary(
            protocol.INFER_PATH,
            request_serializer=messages.request.SerializeToString,
            response_deserializer=messages.response.FromString,
        )
        for plan in plans:
            rows = tuple(int(row) for row in plan)
            batch = pool[list(rows)]
            request = protocol.infer_request(
                messages,
                model=MODEL_NAME,
                tensor=INPUT_NAME,
                shape=batch.shape,
                raw=batch.tobytes(),
            )
            observed.append(_observe(rows, await infer(request)))

    channels = [grpc.aio.insecure_channel(address) for _ in range(_CHANNELS)]
    async with asyncio.TaskGroup() as group:
        for number in range(_CALLERS):
            group.create_task(caller(channels[number % _CHANNELS]))
    for channel in channels:
        await channel.close()
    return observed


def _observe(rows: tuple[int, ...], response: Any) -> Observed:
    parameters = response.parameters
    if "penstock_batch_size" not in parameters:
        raise ResultError("the server does not report batch sizes: start it with the flag for it")
    batch_row = None
    if "penstock_batch_row" in parameters:
        batch_row = int(parameters["penstock_batch_row"].int64_param)
    values = np.frombuffer(response.raw_output_contents[0], dtype=np.float32)
    return Observed(
        rows=rows,
        batch_size=int(parameters["penstock_batch_size"].int64_param),
        batch_row=batch_row,
        output=values.reshape(len(rows), -1),
    )


def _observe_server(
    arguments: argparse.Namespace, workload: Workload, pool: FloatArray
) -> list[Observed]:
    if arguments.address is not None:
        address: str = arguments.address
        return asyncio.run(collect(address, workload.messages, pool, arguments.requests))
    paths = Paths(
        programs=arguments.out,
        descriptors=workload.descriptors,
        model=workload.model,
        host=arguments.host,
    )
    contender = all_contenders(paths)["penstock"]
    if (missing := contender.missing()) is not None:
        raise ResultError(f"our server is not there: {missing}")
    command = (*contender.command, "--report-batch-size")
    with running(
        command, environment=contender.environment, working_directory=protocol.ROOT
    ) as server:
        address = f"127.0.0.1:{server.port}"
        return asyncio.run(collect(address, workload.messages, pool, arguments.requests))


def main(argv: Sequence[str] | None = None) -> int:
    """Collects, verifies, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--address", help="a server that runs already, with the mlp model")
    parser.add_argument("--host", type=Path, help="penstock_host, in place of `penstock serve`")
    parser.add_argument("--out", type=Path, default=protocol.ROOT / "build" / "bench")
    arguments = parser.parse_args(argv)
    workload = prepare(arguments.out / "workload")
    random = np.random.default_rng(_SEED)
    pool = random.standard_normal((_POOL_ROWS, workload.row.shape[1]), dtype=np.float32)
    try:
        observed = _observe_server(arguments, workload, pool)
        for line in verify(observed, Reference(workload.model), pool):
            print(line)
    except ResultError as error:
        print(f"results differ: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
