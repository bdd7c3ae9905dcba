"""What receiving costs at least: `recv` into one buffer, again and again, from one connection.

Usage: python -m bench.overload.bare_receiver BYTES. Prints `ready grpc=127.0.0.1:PORT`, takes
connections one after the other, stops on SIGTERM.
"""

from __future__ import annotations

import socket
import sys


def main() -> None:
    """Receives until it is stopped."""
    buffer = bytearray(int(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"ready grpc=127.0.0.1:{listening.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                while connection.recv_into(buffer):
                    pass


if __name__ == "__main__":
    main()
