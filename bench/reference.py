"""ONNX Runtime through its Python API: what our server's answers are compared with.

One thread inside the session, as the server has it by default; otherwise Python's defaults.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.workload import FloatArray

# Before the import: from 1.31 on ONNX Runtime writes telemetry files unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


class Reference:
    """A model with one input and one output."""

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, rows: FloatArray) -> FloatArray:
        """The output for a batch of rows."""
        output: FloatArray = self._session.run(None, {self._input: rows})[0]
        return output
