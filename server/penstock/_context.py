"""`with`, for what must be ended."""

from __future__ import annotations

from types import TracebackType
from typing import Self

__all__ = ["EndsWithItsBlock"]


class EndsWithItsBlock:
    """The end of a `with` block, however it is left, calls `_end`."""

    __slots__ = ()

    def _end(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
