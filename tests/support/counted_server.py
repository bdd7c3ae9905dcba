"""A server inside a Python process of its own, so that a test can read its live counts.

    python -W error counted_server.py SETTINGS MODEL.onnx...

SETTINGS is a JSON object: `server` and `model` hold settings by name. CountedServer of
support/counting.py runs it.

Prints `ready HOST:PORT`, then the live counts as one JSON line for each line that it reads, and
stops with a drain once its standard input ends. Exit code 0: everything finished.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from penstock import _core
from penstock._ort import find_onnxruntime
from penstock.config import make_model_options, make_server_options

DRAIN_TIMEOUT_MS = 30_000
COUNTS = ("connections", "calls", "buffers", "accepted", "finished")


def main() -> int:
    settings = json.loads(sys.argv[1])
    defaults = {"grpc_port": 0, "onnxruntime_library": str(find_onnxruntime())}
    options = make_server_options(defaults | settings["server"])
    sources = [
        _core.ModelSource(
            name=Path(path).stem,
            version=1,
            path=path,
            options=make_model_options(settings["model"]),
        )
        for path in sys.argv[2:]
    ]
    server = _core.Server.create(options, sources)
    print(f"ready {server.host}:{server.grpc_port}", flush=True)
    for _ in sys.stdin:
        counts = server.live_counts()
        print(json.dumps({name: getattr(counts, name) for name in COUNTS}), flush=True)
    return 0 if server.stop(DRAIN_TIMEOUT_MS) else 1


if __name__ == "__main__":
    sys.exit(main())
