# clients/python/penstock_client/_strings.pyx.

from typing import Any

from numpy.typing import NDArray

def pack(elements: list[Any]) -> bytes: ...
def unpack(packed: bytes | memoryview, count: int) -> NDArray[Any]: ...
