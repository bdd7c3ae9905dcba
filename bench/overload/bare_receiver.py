"""What receiving costs at least: `recv` into one buffer, again and again, from one connection.

Usage: python -m bench.overload.bare_receiver BYTES. Prints `ready grpc=127.0.0.1:PORT`, takes
connections one after the other, stops on SIGTERM.
"""

from __future__ import annotations

import socket
import sys

from bench.overload import bare


def main() -> None:
    """Receives until it is stopped."""
    buffer = bytearray(int(sys.argv[1]))

    def receive(connection: socket.socket) -> None:
        while connection.recv_into(buffer):
            pass

    bare.serve(receive)


if __name__ == "__main__":
    main()
