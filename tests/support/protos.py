"""Message classes and call stubs made from proto/ as it stands, in a descriptor pool of their own.

For tests and benchmarks: the full contracts (also what the server does not offer), independent of
the committed descriptors. Ordinary generated modules would clash with tritonclient's, which define
the same protobuf package in the default pool of the process.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]
INFERENCE = "inference.GRPCInferenceService"


@functools.cache
def generator() -> ModuleType:
    """scripts/generate_protos.py as a module."""
    path = ROOT / "scripts/generate_protos.py"
    spec = importlib.util.spec_from_file_location("generate_protos", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def pool() -> Any:
    """All of proto/ in a pool of its own. A file comes after those that it imports."""
    made = descriptor_pool.DescriptorPool()
    for file in generator().compile_protos().values():
        made.Add(file)
    return made


@functools.cache
def message_class(name: str) -> Any:
    """By full name: message_class("inference.ModelInferRequest")."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def methods(service: str = INFERENCE) -> list[Any]:
    """The service's method descriptors."""
    return list(pool().FindServiceByName(service).methods)


def unary_stub(channel: grpc.Channel, method: str, service: str = INFERENCE) -> Any:
    """A callable of grpcio for one unary method: stub(request, timeout=...)."""
    descriptor = pool().FindServiceByName(service).methods_by_name[method]
    return channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=message_class(descriptor.input_type.full_name).SerializeToString,
        response_deserializer=message_class(descriptor.output_type.full_name).FromString,
    )
