"""Models of every kind, in one server, asked at once by unmodified clients of three makes: each
answer is ONNX Runtime's own, bit for bit, at the batch size and place that it really ran in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from conformance.model_sweep.checking import (
    Answered,
    Asked,
    answered,
    datatype_of,
    grpcio_answer,
    problems_of,
    raw_request,
    shares,
    typed_request,
    wire_form,
)
from conformance.model_sweep.models import MODELS
from support import protos

SEED = 20261121
TIMEOUT_S = 60.0
MODELS_MIN = 50  # issue 3's figure
REQUESTS_PER_ROWS = 4  # of each model, for each number of rows, by each client
THREADS = 8
AT_ONCE = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sweep")
    for model in MODELS:
        onnx.save(model.model, made / f"{model.name}.onnx")
    return made


@pytest.fixture(scope="module")
def server(start_shared_server: Any, folder: Path) -> Any:
    paths = [folder / f"{model.name}.onnx" for model in MODELS]
    return start_shared_server(*paths, flags=["--report-batch-size"])


@pytest.fixture
def asked(folder: Path) -> list[Asked]:
    """The requests of one client, those of all models mixed."""
    random = np.random.default_rng(SEED)
    made = [
        Asked(
            model=folder / f"{model.name}.onnx",
            rows=rows,
            inputs=model.make(random, rows),
            flatten=model.flatten,
        )
        for model in MODELS
        for rows in model.rows
        for _ in range(REQUESTS_PER_ROWS)
    ]
    # Pieces of one model stay together, or no two requests that may share a batch would meet.
    pieces = [made[start : start + 6] for start in range(0, len(made), 6)]
    random.shuffle(pieces)  # type: ignore[arg-type]
    return [one for piece in pieces for one in piece]


def check(pairs: Sequence[tuple[Asked, Answered]]) -> None:
    shared = sum(shares(one, answer) for one, answer in pairs)
    print(f"{len(pairs)} answers, {shared} of them from a run that others shared")
    assert [said for one, answer in pairs for said in problems_of(one, answer)] == []
    assert shared > 0, "no two requests met: nothing was shown about batches"


def triton_inputs(module: Any, one: Asked) -> list[Any]:
    made = []
    for name, value in one.inputs.items():
        tensor = module.InferInput(name, list(value.shape), datatype_of(wire_form(value)))
        tensor.set_data_from_numpy(wire_form(value))
        made.append(tensor)
    return made


def triton_answer(result: Any) -> Answered:
    response = result.get_response()
    outputs = {output.name: result.as_numpy(output.name) for output in response.outputs}
    return answered(outputs, response.parameters)


def test_sweep_holds_as_many_models_as_promised() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS) >= MODELS_MIN


def test_probe_finds_out_which_models_batch(server: Any) -> None:
    found = dict(re.findall(r"model ready model=(\S+) .*?batchable=(yes|no)", server.log))
    assert found == {model.name: "yes" if model.batches else "no" for model in MODELS}


def test_triton_client_gets_every_answer_right(server: Any, asked: list[Asked]) -> None:
    def ask(mine: Sequence[Asked]) -> list[tuple[Asked, Answered]]:
        with triton.InferenceServerClient(server.address) as client:
            return [(one, triton_answer(ask_one(client, one))) for one in mine]

    def ask_one(client: Any, one: Asked) -> Any:
        inputs = triton_inputs(triton, one)
        return client.infer(one.name, inputs, client_timeout=TIMEOUT_S)

    with ThreadPoolExecutor(THREADS) as threads:
        parts = threads.map(ask, [asked[start::THREADS] for start in range(THREADS)])
        check([pair for part in parts for pair in part])


def test_triton_aio_client_gets_every_answer_right(server: Any, asked: list[Asked]) -> None:
    async def ask_all() -> list[tuple[Asked, Answered]]:
        limit = asyncio.Semaphore(AT_ONCE)

        async def ask(client: Any, one: Asked) -> tuple[Asked, Answered]:
            async with limit:
                inputs = triton_inputs(triton_aio, one)
                result = await client.infer(one.name, inputs, client_timeout=TIMEOUT_S)
                return one, triton_answer(result)

        async with triton_aio.InferenceServerClient(server.address) as client:
            return list(await asyncio.gather(*(ask(client, one) for one in asked)))

    check(asyncio.run(ask_all()))


@pytest.mark.parametrize("make", [raw_request, typed_request])
def test_grpcio_gets_every_answer_right(
    server: Any, asked: list[Asked], make: Callable[[Asked], Any]
) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = protos.unary_stub(channel, "ModelInfer")
        pairs = []
        for piece in pieces_of(asked, AT_ONCE):
            calls = [(one, stub.future(make(one), timeout=TIMEOUT_S)) for one in piece]
            pairs += [(one, grpcio_answer(call.result())) for one, call in calls]
    check(pairs)


def pieces_of(asked: Sequence[Asked], size: int) -> Iterator[Sequence[Asked]]:
    for start in range(0, len(asked), size):
        yield asked[start : start + size]
