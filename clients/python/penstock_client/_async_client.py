"""The client for asyncio: one channel of grpc.aio, one coroutine for each call. One event loop.

Must not know: what a call is made of, which is _core's.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

import grpc
import grpc.aio

from ._core import CHANNEL_OPTIONS, CLIENT_TIMEOUT, METHODS, Attempt, Core, Story, Timeout
from ._errors import CallError, PenstockClientError, error_from_rpc
from ._inputs import Inputs
from ._messages import SERVICE
from ._metadata import ModelIndex, ModelMetadata, ServerMetadata
from ._retry import RetryPolicy
from .wire import InferResult, Parameter

T = TypeVar("T")


class AsyncClient:
    """A connection to one server, for the tasks of one event loop: `Client` with `await`.

    Connects with the first call, and again by itself after the connection broke. A task that is
    cancelled cancels its call on the server too.

        async with AsyncClient("127.0.0.1:8001") as client:
            result = await client.infer("digits", {"image": image})
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float | None = 60.0,
        retry: RetryPolicy | None = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        """Connects to nothing yet. To be called where the event loop runs, else RuntimeError.

        Args:
            address: "host:port".
            timeout: seconds for every call, with all its retries; None waits for ever.
            retry: when a failed call is tried again; None is never.
        """
        asyncio.get_running_loop()  # else the channel would take a loop that nobody runs
        self._core = Core(timeout=timeout, retry=retry)
        self._closed = asyncio.Event()
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._methods = {
            method: self._channel.unary_unary(f"/{SERVICE}/{method}") for method in METHODS
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection for good; calls under way fail with CANCELLED."""
        self._closed.set()
        await self._channel.close()

    async def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: str = "",
        outputs: Sequence[str] | None = None,
        timeout: Timeout = CLIENT_TIMEOUT,
        request_id: str = "",
        priority: int = 0,
        parameters: Mapping[str, Parameter] | None = None,
        datatypes: Mapping[str, str] | None = None,
    ) -> InferResult:
        """Runs the model once and waits until its outputs are there.

        Args:
            model: the model's name.
            inputs: an array for each of the model's inputs, of exactly its dtype and rank; the
                first dimension is the rows where the model is batched. A bare array is the input
                of a model that has only one. Or a DataFrame, a list of dicts (rows), a dict of
                columns or a list of columns, whose values are converted to what the model takes
                (it is asked once, which is remembered); arrays in a dict are not.
            version: the model's version; empty for the one that the server would choose.
            outputs: names of the outputs wanted; None for all.
            timeout: seconds for the whole call with its retries, instead of the client's; None
                waits for ever.
            request_id: comes back in the result; for logs.
            priority: 1 is the most urgent; 0 is the model's own. What it does is the server's.
            parameters: further parameters of the request, by name.
            datatypes: datatypes of inputs by name, for float32 arrays to be sent as "BF16".

        Returns:
            The outputs by name; read-only arrays.

        Raises:
            InputError: the inputs cannot be sent.
            CallError: the server refused or failed; the subclass says what to do.
            ResponseError: the answer cannot be read.
        """
        return await self._run(
            self._core.infer(
                model,
                inputs,
                version=version,
                outputs=outputs,
                timeout=timeout,
                request_id=request_id,
                priority=priority,
                parameters=parameters,
                datatypes=datatypes,
            )
        )

    async def server_live(self, *, timeout: Timeout = CLIENT_TIMEOUT) -> bool:
        """Whether the server says that it is live; raises CallError where none answers."""
        return await self._run(self._core.server_live(timeout))

    async def server_ready(self, *, timeout: Timeout = CLIENT_TIMEOUT) -> bool:
        """Whether every model that the server was given can be called; raises CallError."""
        return await self._run(self._core.server_ready(timeout))

    async def model_ready(
        self, model: str, *, version: str = "", timeout: Timeout = CLIENT_TIMEOUT
    ) -> bool:
        """Whether the model can be called; raises CallError."""
        return await self._run(self._core.model_ready(model, version, timeout))

    async def server_metadata(self, *, timeout: Timeout = CLIENT_TIMEOUT) -> ServerMetadata:
        """The server's name, version and extensions; raises CallError."""
        return await self._run(self._core.server_metadata(timeout))

    async def model_metadata(
        self, model: str, *, version: str = "", timeout: Timeout = CLIENT_TIMEOUT
    ) -> ModelMetadata:
        """The model's versions, inputs and outputs; raises NotFoundError or another CallError."""
        return await self._run(self._core.model_metadata(model, version, timeout))

    async def repository_index(
        self, *, ready_only: bool = False, timeout: Timeout = CLIENT_TIMEOUT
    ) -> tuple[ModelIndex, ...]:
        """The models that the server knows; `ready_only` leaves out what cannot be called.

        Triton's extension: raises UnimplementedError where the server does not offer it.
        """
        return await self._run(self._core.repository_index(ready_only, timeout))

    async def _run(self, story: Story[T]) -> T:
        try:
            attempt = next(story)
            while True:
                outcome = await self._outcome(attempt)
                if isinstance(outcome, CallError):
                    attempt = story.throw(outcome)
                else:
                    attempt = story.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _outcome(self, attempt: Attempt) -> bytes | CallError:
        if attempt.delay_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), attempt.delay_s)
        try:
            response: bytes = await self._methods[attempt.method](
                attempt.request, timeout=attempt.timeout_s(self._core.clock())
            )
        except grpc.RpcError as error:
            return error_from_rpc(error)
        except grpc.aio.UsageError as error:  # from a closed channel
            raise PenstockClientError("the client is closed") from error
        except asyncio.CancelledError:
            # A closing channel cancels its calls, and that looks like a task that is cancelled.
            task = asyncio.current_task()
            if self._closed.is_set() and not (task and task.cancelling()):
                return CallError("CANCELLED", "the client was closed")
            raise
        return response
