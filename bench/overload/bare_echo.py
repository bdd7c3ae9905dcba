"""What a way there and back costs at least: bytes that come are sent back, nothing else is done.

Usage: python -m bench.overload.bare_echo BYTES. Prints `ready grpc=127.0.0.1:PORT`, takes
connections one after the other, stops on SIGTERM.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time

from bench.overload import bare

# The load generator does so too: when a call is due soon, it looks at the clock all the time.
_AWAKE_S = 0.004


def main() -> None:
    """Echoes until it is stopped."""
    buffer = bytearray(int(sys.argv[1]))

    def echo(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while receive(connection, buffer):
            connection.sendall(buffer)

    bare.serve(echo)


def receive(connection: socket.socket, buffer: bytearray) -> bool:
    """Fills the buffer. False where the other side has ended."""
    view = memoryview(buffer)
    while view:
        count = connection.recv_into(view)
        if count == 0:
            return False
        view = view[count:]
    return True


def median_trip_s(port: int, *, size: int, pause_s: float, trips: int, core: int) -> float:
    """Seconds there and back for `size` bytes each way, `pause_s` apart, from `core`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    buffer, times = bytearray(size), []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(trips):
            due = time.perf_counter() + pause_s
            time.sleep(max(0.0, pause_s - _AWAKE_S))
            while (began := time.perf_counter()) < due:
                pass
            connection.sendall(buffer)
            if not receive(connection, buffer):
                raise RuntimeError("the echo has ended")
            times.append(time.perf_counter() - began)
    os.sched_setaffinity(0, before)
    return statistics.median(times)


if __name__ == "__main__":
    main()
