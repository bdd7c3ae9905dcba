"""Ours, as shipped, with as many threads as the one core that every peer gets."""

from __future__ import annotations

from bench.peers.peer import Launch, Peer, Place


def _launch(place: Place) -> Launch:
    return Launch(
        command=(
            *(str(place.python), "-m", "penstock", "serve", str(place.model)),
            *("--grpc-port", str(place.port), "--no-http"),
            *("--io-threads", "1", "--compute-threads", "1"),
        )
    )


PEER = Peer(
    name="penstock",
    title="Penstock",
    settings=("`--io-threads 1 --compute-threads 1`, all else as shipped",),
    launch=_launch,
    distribution="penstock",
)
