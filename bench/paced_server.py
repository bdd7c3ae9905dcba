"""ModelInfer echo that takes a given time for each request, one after the other: an M/D/1 queue.

Usage: python -m bench.paced_server --descriptors FILE --service-ms 2 [--port N]. Prints
`ready grpc=HOST:PORT` and stops on SIGTERM. It sleeps and does not compute, so its speed is known
and does not move with the machine's: what a search for the highest rate is held against.
"""

from __future__ import annotations

import argparse
import signal
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from bench import messages as protocol


def main() -> None:
    """Reads the flags and serves until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--service-ms", type=float, required=True)
    given = parser.parse_args()
    messages = protocol.load(given.descriptors)

    def infer(request: Any, _context: Any) -> Any:
        time.sleep(given.service_ms / 1e3)
        return protocol.echo_of(messages, request)

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))  # one at a time
    handler = grpc.unary_unary_rpc_method_handler(
        infer,
        request_deserializer=messages.request.FromString,
        response_serializer=messages.response.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService", {"ModelInfer": handler}
    )
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port(f"127.0.0.1:{given.port}")
    server.start()
    print(f"ready grpc=127.0.0.1:{port}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
