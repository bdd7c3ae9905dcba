"""What can go wrong in `penstock bench` before, during and after a run. Nothing but names.

PenstockError
`-- BenchError    nothing could be measured, or not all of it; the message is one line
"""

from __future__ import annotations

from penstock.errors import PenstockError

__all__ = ["BenchError"]


class BenchError(PenstockError):
    """Ends `penstock bench` with exit code 2."""
