"""grpc.aio with ONNX Runtime in the handler: the Python server that most people write."""

from __future__ import annotations

from bench.peers.peer import Launch, Peer, Place


def launch(place: Place, *flags: str) -> Launch:
    """The script of ours under serving/, in our own environment."""
    return Launch(
        command=(
            *(str(place.python), "-m", "bench.peers.serving.aio_server"),
            *("--descriptors", str(place.descriptors), "--model", str(place.model)),
            *("--port", str(place.port), *flags),
        )
    )


PEER = Peer(
    name="aio_ort",
    title="grpc.aio + ONNX Runtime",
    settings=(
        "one process, one event loop, upb messages, `session.run` in the handler, unbatched",
        "`intra_op_num_threads=1`",
    ),
    launch=launch,
    distribution="grpcio",
)
