"""Client of inference servers that speak the Open Inference Protocol v2 over gRPC.

    from penstock_client import Client

    with Client("127.0.0.1:8001") as client:
        result = client.infer("digits", {"image": image})
        result["probabilities"]

`AsyncClient` is the same for asyncio. `penstock_client.wire` has the encoder and the decoder alone.

Everything that goes wrong is raised as one of:

    PenstockClientError
    ├── InputError              the arguments cannot be sent; nothing was sent
    ├── ResponseError           the server's answer breaks the protocol or cannot be held in NumPy
    └── CallError               the call failed; has .code and .message
        ├── InvalidRequestError     the server refused the tensors: fix them
        ├── NotFoundError           no such model, version or call
        ├── DeadlineError           no answer within the timeout
        ├── OverloadedError         refused for lack of room: retry after .retry_after_s
        ├── UnavailableError        no server there, or it is shutting down: retry elsewhere
        └── UnimplementedError      the server does not offer this
"""

from ._async_client import AsyncClient
from ._client import Client
from ._errors import (
    CallError,
    DeadlineError,
    InputError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PenstockClientError,
    ResponseError,
    UnavailableError,
    UnimplementedError,
)
from ._metadata import ModelIndex, ModelMetadata, ServerMetadata, TensorMetadata
from ._retry import RetryPolicy
from .wire import InferResult

__all__ = [
    "AsyncClient",
    "CallError",
    "Client",
    "DeadlineError",
    "InferResult",
    "InputError",
    "InvalidRequestError",
    "ModelIndex",
    "ModelMetadata",
    "NotFoundError",
    "OverloadedError",
    "PenstockClientError",
    "ResponseError",
    "RetryPolicy",
    "ServerMetadata",
    "TensorMetadata",
    "UnavailableError",
    "UnimplementedError",
]
