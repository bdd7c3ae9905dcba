"""What AsyncClient has beyond Client; all else runs with both of them in the other files."""

import asyncio
import inspect
import threading
from typing import Any

import grpc
import numpy as np
import pytest
from penstock_client import AsyncClient, Client
from support import protos
from support.fake_inference_server import FakeInferenceServer

X = {"x": np.ones(1, np.float32)}
TIMEOUT_S = 30.0


def public_methods(kind: type) -> dict[str, Any]:
    """Names and signatures; the two differ in their names for entering and leaving."""
    return {
        name: inspect.signature(member)
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_"))
    }


def test_async_client_has_the_methods_of_client() -> None:
    assert public_methods(AsyncClient) == public_methods(Client)
    assert all(
        inspect.iscoroutinefunction(getattr(AsyncClient, name))
        for name in public_methods(AsyncClient)
        if name != "__init__"
    )


def test_many_tasks_share_one_client(fake_server: FakeInferenceServer) -> None:
    async def ask() -> list[float]:
        async with AsyncClient(fake_server.address) as client, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(client.infer("m", {"x": np.full(2, i, np.float32)}))
                for i in range(100)
            ]
        return [float(task.result()["x"][1]) for task in tasks]

    assert asyncio.run(ask()) == list(range(100))


def test_cancelled_task_cancels_its_call(fake_server: FakeInferenceServer) -> None:
    arrived, ended = threading.Event(), threading.Event()

    def block(_request: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(ended.set)
        arrived.set()
        ended.wait(TIMEOUT_S)
        return protos.message_class("inference.ModelInferResponse")()

    fake_server.behaviours["ModelInfer"] = block

    async def cancel() -> None:
        async with AsyncClient(fake_server.address, timeout=None) as client:
            call = asyncio.create_task(client.infer("m", X))
            assert await asyncio.to_thread(arrived.wait, TIMEOUT_S)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # The connection is still there: what ended the call is its cancellation.
            assert await asyncio.to_thread(ended.wait, TIMEOUT_S)
            assert await client.server_live()

    asyncio.run(cancel())


def test_outside_of_an_event_loop_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient("127.0.0.1:1")
