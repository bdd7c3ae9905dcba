# native/cython/_bytes_codec.pyx.

from typing import Any

from numpy.typing import NDArray

def encode(array: NDArray[Any]) -> bytes: ...
def decode(data: memoryview, shape: tuple[int, ...]) -> NDArray[Any]: ...
