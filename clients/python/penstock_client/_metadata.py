"""What servers say of themselves and their models, as plain values made of messages. PURE."""

from __future__ import annotations

import dataclasses
from typing import Any, Self


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """What the server says of itself."""

    name: str
    version: str
    extensions: tuple[str, ...]

    @classmethod
    def of(cls, message: Any) -> Self:
        return cls(name=message.name, version=message.version, extensions=tuple(message.extensions))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TensorMetadata:
    """An input or output as the model declares it; -1 in `shape` is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, message: Any) -> Self:
        return cls(name=message.name, datatype=message.datatype, shape=tuple(message.shape))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What the server says of a model."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]

    @classmethod
    def of(cls, message: Any) -> Self:
        return cls(
            name=message.name,
            versions=tuple(message.versions),
            platform=message.platform,
            inputs=tuple(TensorMetadata.of(tensor) for tensor in message.inputs),
            outputs=tuple(TensorMetadata.of(tensor) for tensor in message.outputs),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelIndex:
    """A version of a model in the server's repository; `reason` says why it is not READY."""

    name: str
    version: str
    state: str
    reason: str

    @classmethod
    def of(cls, message: Any) -> Self:
        return cls(
            name=message.name,
            version=message.version,
            state=message.state,
            reason=message.reason,
        )
