# clients/python/penstock_client/_columns.pyx.

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

class _Declared(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> Sequence[int]: ...

def bf16_bits(array: NDArray[Any]) -> NDArray[np.uint16]: ...
def named_columns(data: Any, inputs: Sequence[_Declared] | None = None) -> Mapping[Any, Any]: ...
def from_columns(
    data: Any, inputs: Sequence[_Declared] | None = None
) -> dict[str, NDArray[Any]]: ...
