"""A custom MLServer runtime: ONNX Runtime on whatever batch the adaptive batching has formed."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OnnxRuntime(MLModel):
    """One input, one output."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        uri = await get_model_uri(self._settings)
        self._session = onnxruntime.InferenceSession(
            uri, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        values = self._session.run(None, {tensor.name: NumpyCodec.decode_input(tensor)})[0]
        name = self._session.get_outputs()[0].name
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name, values)]
        )
