"""PNG files as no library writes them: interlaced, of any claimed size, with any chunks."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Adam7: first column and row, then the steps to the next ones, of each pass.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2)]  # fmt: skip


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, *, depth: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def interlaced(image: Image.Image) -> bytes:
    """An RGB picture in Adam7's seven passes."""
    pixels = np.asarray(image)
    rows = b""
    for x, y, across, down in PASSES:
        part = pixels[y::down, x::across]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    data = chunk(b"IDAT", zlib.compress(rows))
    return SIGNATURE + header(*image.size, interlace=1) + data + chunk(b"IEND")
