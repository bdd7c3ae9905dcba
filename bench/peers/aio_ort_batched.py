"""The same with the usual queue and batching task on top."""

from __future__ import annotations

from bench.peers import aio_ort
from bench.peers.peer import Launch, Peer, Place


def _launch(place: Place) -> Launch:
    return aio_ort.launch(place, "--max-batch-size", "128")


PEER = Peer(
    name="aio_ort_batched",
    title="grpc.aio + ONNX Runtime, batched",
    settings=(
        "as aio_ort; one task takes all that is queued, up to 128 rows, and waits for no more",
    ),
    launch=_launch,
    distribution="grpcio",
)
