"""Triton with a queue policy: what has waited too long is refused instead of run."""

from __future__ import annotations

from bench.peers import triton
from bench.peers.peer import Launch, Peer, Place

# Half of the deadlines that bench/overload/peers.py has. 30 and 70 ms are no better there.
_WAIT_US_MAX = 50_000
_POLICY = f"""
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {_WAIT_US_MAX}
  }}
"""


def _launch(place: Place) -> Launch:
    return triton.launch(place, _POLICY)


PEER = Peer(
    name="triton_reject",
    title="Triton that refuses",
    settings=(
        f"as triton, with `timeout_action: REJECT` after {_WAIT_US_MAX // 1000} ms in the queue",
    ),
    launch=_launch,
    requirements=triton.REQUIREMENTS,
    find_python=triton.find_python,
    distribution=triton.PEER.distribution,
)
