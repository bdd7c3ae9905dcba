"""Servers that others would use in our place: `python -m bench.peers` measures them beside ours.

Every module here with a PEER is one; adding a peer is adding such a file. What runs inside a peer's
own process is in serving/. aio_echo.py is a contender of bench/harness.py.
"""
