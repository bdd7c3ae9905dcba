"""model.py of Triton's Python backend: one ONNX Runtime call for all requests of a batch."""

import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """The interface that the backend expects."""

    def initialize(self, arguments):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = os.path.join(  # noqa: PTH118 - given as text by the backend
            arguments["model_repository"], arguments["model_version"], "model.onnx"
        )
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name

    def execute(self, requests):
        rows = [
            pb_utils.get_input_tensor_by_name(request, self.input).as_numpy()
            for request in requests
        ]
        batch = rows[0] if len(rows) == 1 else np.concatenate(rows)
        values = self.session.run([self.output], {self.input: batch})[0]
        responses = []
        begin = 0
        for each in rows:
            end = begin + len(each)
            tensor = pb_utils.Tensor(self.output, values[begin:end])
            responses.append(pb_utils.InferenceResponse(output_tensors=[tensor]))
            begin = end
        return responses
