"""What the servers that do next to nothing have in common."""

from __future__ import annotations

import socket
from collections.abc import Callable

__all__ = ["serve"]


def serve(handle: Callable[[socket.socket], None]) -> None:
    """Prints `ready grpc=127.0.0.1:PORT`, takes connections one after the other, until it is
    stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"ready grpc=127.0.0.1:{listening.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                handle(connection)
