"""ModelInfer on grpc.aio with a scikit-learn pipeline: what others would write first for a table.

Usage: python -m bench.aio_tabular --descriptors FILE --pipeline FILE --port N. One process, one
event loop, one row at a time. Stops on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from bench import messages as protocol
from bench.peers.aio_echo import serve
from bench.tabular_table import OUTPUT, row_of


def main() -> None:
    """Reads the flags and serves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--descriptors", type=Path, required=True)
    parser.add_argument("--pipeline", type=Path, required=True)
    arguments = parser.parse_args()
    messages = protocol.load(arguments.descriptors)
    pipeline = joblib.load(arguments.pipeline)

    async def infer(request: Any, _context: Any) -> Any:
        values = pipeline.predict_proba(row_of(request)).astype(np.float32)
        response = messages.response(model_name=request.model_name, model_version="1")
        response.outputs.add(name=OUTPUT, datatype="FP32", shape=values.shape)
        response.raw_output_contents.append(values.tobytes())
        return response

    asyncio.run(serve(arguments.port, messages, infer))


if __name__ == "__main__":
    main()
