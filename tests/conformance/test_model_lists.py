"""Listing models: Triton's RepositoryIndex by its own client, and our ListModels by grpcio."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton
from support import protos

TIMEOUT_S = 60.0


def test_repository_index_tritonclient_lists_what_is_served(start_server: Any) -> None:
    server = start_server("mlp", "time_major")
    with triton.InferenceServerClient(server.address) as client:
        index = client.get_model_repository_index()
        assert [(m.name, m.version, m.state, m.reason) for m in index.models] == [
            ("mlp", "1", "READY", ""),
            ("time_major", "1", "READY", ""),
        ]


def test_repository_index_named_repository_is_unimplemented(start_server: Any) -> None:
    with grpc.insecure_channel(start_server("mlp").address) as channel:
        request = protos.message_class("inference.RepositoryIndexRequest")(repository_name="here")
        with pytest.raises(grpc.RpcError) as caught:
            protos.unary_stub(channel, "RepositoryIndex")(request, timeout=TIMEOUT_S)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_list_models_grpcio_gets_every_field(start_server: Any) -> None:
    with grpc.insecure_channel(start_server("time_major").address) as channel:
        request = protos.message_class("penstock.v1.ListModelsRequest")()
        stub = protos.unary_stub(channel, "ListModels", "penstock.v1.Models")
        [model] = stub(request, timeout=TIMEOUT_S).models
    assert (model.name, model.version, model.batchable) == ("time_major", 1, False)
    assert [(t.name, t.datatype, list(t.shape)) for t in model.inputs] == [("x", "FP32", [-1, 4])]
    assert model.batchable_reason.startswith("row 1 of output 'y' differs")
    assert (model.execution, model.max_batch_size) == ("pool", 1)
    assert model.execution_reason
    assert list(model.providers) == ["cpu"]
    assert model.l1_us > 0
