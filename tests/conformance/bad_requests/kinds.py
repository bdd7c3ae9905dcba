"""What a bad request is, and what it deserves."""

from __future__ import annotations

from dataclasses import dataclass

OK = 0
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
UNIMPLEMENTED = 12
INTERNAL = 13

INFER = "/inference.GRPCInferenceService/ModelInfer"
# The server's settings, which some kinds step over.
MAX_BATCH_SIZE = 4
MAX_MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One message, well framed, and the status that it must get."""

    name: str
    message: bytes
    code: int = INVALID_ARGUMENT
    says: tuple[str, ...]  # what its sentence must hold: what was wrong, what was expected, where
    path: str = INFER
