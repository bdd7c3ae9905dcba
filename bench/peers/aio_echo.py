"""ModelInfer echo on grpc.aio: the Python server that others would write first.

Usage: python -m bench.peers.aio_echo --descriptors FILE [--port N]. Prints `ready grpc=HOST:PORT`
and stops on SIGTERM. One process, one event loop. With --fault-every N each N-th answer is wrong
in the way of --fault: how bench/self_check.py proves that the replay client notices.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from bench import messages as protocol

Infer = Callable[[Any, Any], Awaitable[Any]]

_NO_LIMIT = -1


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--fault", choices=["status", "bytes", "length", "abort"])
    parser.add_argument("--fault-every", type=int, default=100)
    arguments = parser.parse_args()
    messages = protocol.load(arguments.descriptors)
    infer = _echo(messages)
    if arguments.fault is not None:
        infer = _faulty(infer, arguments.fault, arguments.fault_every)
    asyncio.run(serve(arguments.port, messages, infer))


async def serve(port: int, messages: protocol.Messages, infer: Infer) -> None:
    """Answers until SIGTERM or SIGINT."""
    handler = grpc.unary_unary_rpc_method_handler(
        infer,
        request_deserializer=messages.request.FromString,
        response_serializer=messages.response.SerializeToString,
    )
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _NO_LIMIT),
            ("grpc.max_send_message_length", _NO_LIMIT),
        ]
    )
    service = grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService", {"ModelInfer": handler}
    )
    server.add_generic_rpc_handlers((service,))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    print(f"ready grpc=127.0.0.1:{bound}", flush=True)
    await stop.wait()
    await server.stop(grace=1)


def _echo(messages: protocol.Messages) -> Infer:
    async def infer(request: Any, _context: Any) -> Any:
        return protocol.echo_of(messages, request)

    return infer


def _faulty(infer: Infer, fault: str, every: int) -> Infer:
    count = 0

    async def wrong(request: Any, context: Any) -> Any:
        nonlocal count
        count += 1
        response = await infer(request, context)
        if count % every != 0:
            return response
        if fault == "abort":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "refused on purpose")
        if fault == "status":  # a whole, right answer, and yet a failure
            context.set_code(grpc.StatusCode.INTERNAL)
        raw = bytearray(response.raw_output_contents[0])
        if fault == "bytes":
            raw[len(raw) // 2] ^= 1
        if fault == "length":
            raw.append(0)
        response.raw_output_contents[0] = bytes(raw)
        return response

    return wrong


if __name__ == "__main__":
    main()
