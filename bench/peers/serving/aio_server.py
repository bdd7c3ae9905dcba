"""ModelInfer on grpc.aio with ONNX Runtime, with or without a batching task.

Usage: python -m bench.peers.serving.aio_server --descriptors FILE --model FILE --port N
[--max-batch-size N]. One process, one event loop. Stops on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench import messages as protocol
from bench.peers.aio_echo import serve

Run = Callable[[Any], Awaitable[Any]]


class Batcher:
    """One task runs the model on everything that is queued when it gets to it."""

    def __init__(self, run: Callable[[Any], Any], max_batch_size: int) -> None:
        self._run = run
        self._max_batch_size = max_batch_size
        self._queue: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()

    async def infer(self, rows: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((rows, answer))
        return await answer

    async def work(self) -> None:
        while True:
            taken = [await self._queue.get()]
            count = len(taken[0][0])
            while count < self._max_batch_size and not self._queue.empty():
                taken.append(self._queue.get_nowait())
                count += len(taken[-1][0])
            values = self._run(np.concatenate([rows for rows, _answer in taken]))
            begin = 0
            for rows, answer in taken:
                if not answer.done():  # its caller may have gone
                    answer.set_result(values[begin : begin + len(rows)])
                begin += len(rows)


async def run_server(arguments: argparse.Namespace) -> None:
    """Builds the handler and serves until SIGTERM."""
    messages = protocol.load(arguments.descriptors)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(arguments.model), options, providers=["CPUExecutionProvider"]
    )
    input_name = session.get_inputs()[0].name
    output_name = session.get_outputs()[0].name

    def run(rows: Any) -> Any:
        return session.run(None, {input_name: rows})[0]

    async def run_alone(rows: Any) -> Any:
        return run(rows)

    batcher = Batcher(run, arguments.max_batch_size)
    infer_rows: Run = batcher.infer if arguments.max_batch_size > 1 else run_alone

    async def infer(request: Any, _context: Any) -> Any:
        tensor = request.inputs[0]
        rows = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(tensor.shape)
        values = await infer_rows(rows)
        response = messages.response(
            model_name=request.model_name, model_version="1", id=request.id
        )
        response.outputs.add(name=output_name, datatype="FP32", shape=values.shape)
        response.raw_output_contents.append(values.tobytes())
        return response

    worker = asyncio.create_task(batcher.work())
    await serve(arguments.port, messages, infer)
    worker.cancel()


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--max-batch-size", type=int, default=1)
    asyncio.run(run_server(parser.parse_args()))


if __name__ == "__main__":
    main()
