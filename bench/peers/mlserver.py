"""MLServer with a custom runtime around ONNX Runtime, as its documentation describes one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.peers.peer import Launch, Peer, Place, free_port

_RUNTIME = Path(__file__).parent / "serving" / "mlserver_runtime.py"


def _launch(place: Place) -> Launch:
    shutil.copy2(_RUNTIME, place.folder / "mlserver_runtime.py")
    settings = {
        "host": "127.0.0.1",
        "grpc_port": place.port,
        "http_port": free_port(),
        "metrics_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
    }
    model = {
        "name": place.model_name,
        "implementation": "mlserver_runtime.OnnxRuntime",
        "parameters": {"uri": str(place.model)},
        "max_batch_size": 128,
        "max_batch_time": 0.005,
    }
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(model))
    return Launch(
        command=(str(place.python.parent / "mlserver"), "start", str(place.folder)),
        environment={"PYTHONPATH": str(place.folder)},
    )


PEER = Peer(
    name="mlserver",
    title="MLServer",
    settings=(
        "adaptive batching on: `max_batch_size` 128, `max_batch_time` 5 ms (best of 0.2 to 50 ms)",
        "`parallel_workers` 0: the model in the server's own process, no queue between processes",
        "metrics off; `intra_op_num_threads=1`",
    ),
    launch=_launch,
    # Later versions of these break it at import.
    requirements=("mlserver==1.7.1", "fastapi<0.116", "protobuf<7", "onnxruntime>=1.20"),
    distribution="mlserver",
)
