"""Pictures for tests: noise over colour patches, which neither a filter nor a codec forgives."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Reproducible pixels of the mode; for "P" with a palette of its own."""
    random = np.random.default_rng([seed, width, height])
    channels = len(Image.new(mode, (1, 1)).getbands())
    patches = random.integers(0, 256, (height // 16 + 1, width // 16 + 1, channels))
    pixels = patches.repeat(16, 0).repeat(16, 1)[:height, :width]
    pixels = (pixels + random.normal(0, 20, pixels.shape)).clip(0, 255).astype(np.uint8)
    if mode == "P":
        made = Image.fromarray(pixels[:, :, 0], "L").convert("P")
        made.putpalette(random.integers(0, 256, 768, dtype=np.uint8).tobytes())
        return made
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The file's bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
