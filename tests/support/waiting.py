"""Waiting for what another process will do, by asking until it has."""

from __future__ import annotations

import time
from collections.abc import Callable

# Generous: a slow machine must not fail a test. Nothing waits this long where all is well.
_DEADLINE_S = 60.0
_PAUSE_S = 0.01


def wait_until(holds: Callable[[], bool], otherwise: Callable[[], object]) -> None:
    """Returns when the condition holds, or fails with what `otherwise` says then."""
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(_PAUSE_S)
